"""The end of a run, told."""

from __future__ import annotations

import shlex

from eventmap.cli.dead_letters import Saved
from eventmap.cli.event_summary import event_lines, events_document
from eventmap.cli.failure import DONE, FAILED
from eventmap.cli.mappings import is_queue, name_of_arn
from eventmap.cli.output import Output
from eventmap.cli.progress import Progress
from eventmap.cli.run_options import RunOptions
from eventmap.cli.tally import Tally
from eventmap.cli.working import Leftovers

_OF_ALL = (("received", ""), ("done", ""), ("retried", "failed attempts that came back"))
_OF_QUEUES = (("dead_lettered", ""), ("possible_duplicates", "handled, but the deletion is not certain"))
_OF_STREAMS = (("discarded", "attempts used up, or too old"),)
_WHERE_ANY = (
    ("reports_sent", "to the on-failure destination"),
    ("filtered", "let through by no filter: deleted from a queue, passed by in a stream"),
    ("refused", "damaged, so left alone"),
    ("expired", "failed until the stream had forgotten them"),
    ("reports_failed", "could not be delivered; their records stay discarded"),
    ("leases_lost", "shards another worker took over; what ran may run again there"),
)
_HYPHENATED = {"dead_lettered": "dead-lettered"}


def summarize(options: RunOptions, progress: Progress, leftovers: Leftovers, output: Output) -> int:
    """Print the summary and return the exit code: 1 if anything was left unfinished by the drain."""
    tally = progress.tally
    rate = f"{tally.noun}s_per_s"
    document: dict[str, object] = {name: tally.total(name) for name, _ in _polled(tally)}
    document |= {"left_behind": tally.left, rate: round(progress.rate(), 1)}
    document["dead_letters_saved"] = _paths(leftovers.saved)
    document["reports_saved"] = _paths(leftovers.reports)
    document["undelivered"] = leftovers.undelivered
    lines = ["", "Summary"]
    lines += [_line(name, tally.total(name), note) for name, note in _polled(tally)]
    lines.append(_line("left_behind", tally.left, ""))
    lines.append(f"  {f'{tally.noun}s/s':<20}{progress.rate():>10,.1f}")
    lines += [_line(name, tally.total(name), note) for name, note in _WHERE_ANY if tally.total(name)]
    if tally.requests is not None:
        document["requests"] = tally.requests
        lines.append(_line("requests", tally.requests, "over HTTP"))
    if tally.functions:
        document |= {"events": events_document(tally), "records_saved": _paths(leftovers.records)}
        lines += event_lines(options, tally)
    lines += _dead_letters(options, progress, leftovers)
    for name, (path, count) in leftovers.reports.items():
        lines.append(f"{count:,} report{'s'[: count != 1]} of discarded records went to {name}; saved in {path}")
    for name, (path, count) in leftovers.records.items():
        lines.append(f"{_messages(count)} about asynchronous events went to {name}; saved in {path}")
    if tally.left:
        lines.append(f"{_many(tally, tally.left)} not finished within the drain budget; {_what_comes_back(tally)}")
    if leftovers.undelivered:
        lines.append(f"{_messages(leftovers.undelivered)} not delivered, discarded with the embedded emulator.")
    output.say("\n".join(lines), summary=document)
    return FAILED if tally.left else DONE


def _polled(tally: Tally) -> list[tuple[str, str]]:
    """(counter, note) of what is shown of queues and streams; none of them where only events are accepted."""
    if tally.functions and not tally.sources:
        return []
    shown = dict([*_OF_ALL, *(_OF_QUEUES if tally.has_queues else ()), *(_OF_STREAMS if tally.has_streams else ())])
    return list({**shown, "received": "redeliveries counted" if tally.has_queues else ""}.items())


def _paths(saved: Saved) -> dict[str, str]:
    return {name: str(path) for name, (path, _) in saved.items()}


def _line(name: str, count: int, note: str) -> str:
    label = _HYPHENATED.get(name, name.replace("_", " "))
    return f"  {label:<20}{count:>8,}{f'   ({note})' if note else ''}"


def _what_comes_back(tally: Tally) -> str:
    if not tally.sources:
        return "accepted events run again when it is next started."
    if not tally.has_streams:
        return "what was not deleted comes back by itself."
    return "what has no checkpoint is read again."


def _dead_letters(options: RunOptions, progress: Progress, leftovers: Leftovers) -> list[str]:
    if options.local:
        lines = []
        for queue, (path, count) in leftovers.saved.items():
            lines += [
                f"{_messages(count)} of {queue} went to its dead-letter queue; saved in {path}",
                f"  look at {'it' if count == 1 else 'them'}:  cat {shlex.quote(str(path))}",
                f"  send again:  {_send_again(options, queue, str(path))}",
            ]
        return lines
    lines = []
    endpoint = f" --endpoint-url {shlex.quote(options.endpoint_url)}" if options.endpoint_url else ""
    for arn, counters in progress.tally.sources.items():
        if is_queue(arn) and counters["dead_lettered"]:
            name = progress.tally.dead_letter_arns.get(arn, "").rpartition(":")[2]
            lines += [
                f"{_messages(counters['dead_lettered'])} of {name_of_arn(arn)} went to its dead-letter queue "
                f"{name}; look there with",
                f"  aws sqs receive-message{endpoint} --queue-url "
                f'"$(aws sqs get-queue-url{endpoint} --queue-name {name} --query QueueUrl --output text)"',
            ]
    return lines


def _send_again(options: RunOptions, queue: str, path: str) -> str:
    """The command that gives the saved messages another try."""
    targets = " ".join(map(shlex.quote, options.targets))
    config = f" --config {shlex.quote(options.config)}" if options.config else ""
    sqs = f" --sqs {queue}" if options.sqs else ""
    return f"eventmap run {targets}{config} --local{sqs} --send {shlex.quote(path)} --until-empty".replace("  ", " ")


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"


def _many(tally: Tally, count: int) -> str:
    return f"{count:,} {tally.noun}{'' if count == 1 else 's'}"
