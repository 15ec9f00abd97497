"""The end of a run, told."""

from __future__ import annotations

import shlex

from eventmap.cli.failure import DONE, FAILED
from eventmap.cli.output import Output
from eventmap.cli.progress import Progress
from eventmap.cli.run_options import RunOptions
from eventmap.cli.serve import Leftovers

_SHOWN = (
    ("received", "received", "redeliveries counted"),
    ("done", "done", ""),
    ("retried", "retried", "failed attempts that came back"),
    ("dead_lettered", "dead-lettered", ""),
    ("possible_duplicates", "possible duplicates", "handled, but the deletion is not certain"),
)


def summarize(options: RunOptions, progress: Progress, leftovers: Leftovers, output: Output) -> int:
    """Print the summary and return the exit code: 1 if messages were left unfinished by the drain."""
    tally = progress.tally
    document: dict[str, object] = {name: tally.total(name) for name, _, _ in _SHOWN}
    document |= {"left_behind": tally.left, "messages_per_s": round(progress.rate(), 1)}
    document["dead_letters_saved"] = {queue: str(path) for queue, (path, _) in leftovers.saved.items()}
    document["discarded"] = leftovers.discarded
    lines = ["", "Summary"]
    for name, label, note in _SHOWN:
        lines.append(f"  {label:<20}{tally.total(name):>8,}{f'   ({note})' if note else ''}")
    lines.append(f"  {'left behind':<20}{tally.left:>8,}")
    lines.append(f"  {'messages/s':<20}{progress.rate():>10,.1f}")
    for name, what in (("filtered", "let through by no filter, so deleted"), ("refused", "damaged, so left alone")):
        if tally.total(name):
            lines.append(f"  {name:<20}{tally.total(name):>8,}   ({what})")
    lines += _dead_letters(options, progress, leftovers)
    if tally.left:
        lines.append(
            f"{_messages(tally.left)} not finished within the drain budget; what was not deleted comes back by itself."
        )
    if leftovers.discarded:
        lines.append(f"{_messages(leftovers.discarded)} not delivered, discarded with the embedded emulator.")
    output.say("\n".join(lines), summary=document)
    return FAILED if tally.left else DONE


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
    for arn, counters in progress.tally.queues.items():
        if counters["dead_lettered"]:
            name = progress.tally.dead_letter_arns.get(arn, "").rpartition(":")[2]
            lines += [
                f"{_messages(counters['dead_lettered'])} of {arn.rpartition(':')[2]} went to its dead-letter queue "
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
