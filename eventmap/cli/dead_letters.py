"""What the embedded emulator's queues have set aside, saved before it ends: in the form `--send` takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from eventmap.aws.session import open_sqs
from eventmap.aws.sqs import SqsWire
from eventmap.cli.emulated import record_names, report_names
from eventmap.cli.place import Place
from eventmap.cli.plan import Plan
from eventmap.local.lines import dump_lines
from eventmap.local.seeding import dead_letter_name

FOLDER: Final = Path(".eventmap", "dead-letters")
REPORTS_FOLDER: Final = Path(".eventmap", "on-failure")
RECORDS_FOLDER: Final = Path(".eventmap", "destinations")


Saved = dict[str, tuple[Path, int]]  # by queue name: the file, and how many messages were added to it


async def save_dead_letters(place: Place, plan: Plan) -> Saved:
    """Add what the dead-letter queues hold to their files; queues without any are left out.

    Raises: SourceError, OSError.
    """
    if not plan.queues:
        return {}
    saved: Saved = {}
    async with open_sqs(place.aws) as wire:
        for queue in plan.queue_names:
            name = dead_letter_name(queue)
            if name in plan.queue_names:
                continue  # a function has its dead letters already
            count = await _save(wire, await wire.get_queue_url(name), path := FOLDER / f"{name}.jsonl")
            if count:
                saved[queue] = (path, count)
    return saved


async def save_reports(place: Place, plan: Plan) -> Saved:
    """Add the reports of discarded batches to their files; as `save_dead_letters`."""
    return await _save_all(place, report_names(plan), REPORTS_FOLDER)


async def save_records(place: Place, plan: Plan) -> Saved:
    """Add what asynchronous events have left in the queues of their destinations; as `save_dead_letters`."""
    return await _save_all(place, record_names(plan), RECORDS_FOLDER)


async def _save_all(place: Place, names: Sequence[str], folder: Path) -> Saved:
    if not names:
        return {}
    saved: Saved = {}
    async with open_sqs(place.aws) as wire:
        for name in names:
            count = await _save(wire, await wire.get_queue_url(name), path := folder / f"{name}.jsonl")
            if count:
                saved[name] = (path, count)
    return saved


async def _save(wire: SqsWire, url: str, path: Path) -> int:
    count = 0
    while messages := await wire.receive_message(url, max_number_of_messages=10, wait_time_seconds=0):
        _append(path, messages)
        count += len(messages)
        # A FIFO queue returns no more of a group while one of it is in flight.
        await wire.delete_message_batch(url, [message["ReceiptHandle"] for message in messages])
    return count


def _append(path: Path, messages: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in dump_lines(messages))
