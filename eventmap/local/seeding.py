"""A queue with its dead-letter queue, and messages for it: in an emulator, or in a sandbox account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from eventmap.errors import TransientSourceError
from eventmap.local.lines import MESSAGE_LIMIT_BYTES, Entry, parse_line, size_bytes
from eventmap.local.patience import patiently

FIFO_SUFFIX: Final = ".fifo"
MAX_RECEIVE_COUNT: Final = 3
BATCH_ENTRIES: Final = 10
BATCH_LIMIT_BYTES: Final = MESSAGE_LIMIT_BYTES  # a whole batch may be no larger than one message (SQS-128)

NumberedEntry = tuple[int, Entry]


class SeedingWire(Protocol):
    """The part of the wire that seeding needs."""

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str: ...

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]: ...

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]: ...


@dataclass(frozen=True, slots=True)
class SeededQueue:
    """A queue and where its poison goes, by URL."""

    url: str
    dead_letter_url: str


async def create_queues(wire: SeedingWire, name: str, *, visibility_timeout: int) -> SeededQueue:
    """Create `name` and its dead-letter queue, to which a message goes after three receives (SQS-68, SQS-69).

    `visibility_timeout` is in seconds and at least the function's timeout (SQS-16). A name ending in `.fifo` makes FIFO
    queues that de-duplicate by content. Doing it again with the same values changes nothing.
    Raises: SourceError, also if a queue of that name exists with other values.
    """
    kind = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if name.endswith(FIFO_SUFFIX) else {}
    dead_letter_url = await wire.create_queue(dead_letter_name(name), kind)
    dead_letter_arn = (await wire.get_queue_attributes(dead_letter_url))["QueueArn"]
    redrive = orjson.dumps({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVE_COUNT}).decode()
    url = await wire.create_queue(name, kind | {"VisibilityTimeout": str(visibility_timeout), "RedrivePolicy": redrive})
    return SeededQueue(url, dead_letter_url)


def dead_letter_name(name: str) -> str:
    """`orders` -> `orders-dlq`, `orders.fifo` -> `orders-dlq.fifo`."""
    stem = name.removesuffix(FIFO_SUFFIX)
    return f"{stem}-dlq{name[len(stem) :]}"


async def send_lines(wire: SeedingWire, queue_url: str, lines: Iterable[str | bytes]) -> int:
    """Send each line (see `lines`) as a message, in order; returns how many. Blank lines are skipped.

    Entries that fail are tried again: a message may arrive twice, and on a FIFO queue behind a later one of its batch.
    Raises: InvalidParameterValue naming a bad line, before anything is sent; SourceError if the queue goes on refusing.
    """
    fifo = queue_url.endswith(FIFO_SUFFIX)
    entries = [(number, parse_line(line, number, fifo=fifo)) for number, line in enumerate(lines, 1) if line.strip()]
    for batch in _batches(entries):
        await _send(wire, queue_url, batch)
    return len(entries)


def _batches(entries: Iterable[NumberedEntry]) -> Iterator[list[NumberedEntry]]:
    batch: list[NumberedEntry] = []
    batch_bytes = 0
    for numbered in entries:
        size = size_bytes(numbered[1])
        if batch and (len(batch) == BATCH_ENTRIES or batch_bytes + size > BATCH_LIMIT_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(numbered)
        batch_bytes += size
    if batch:
        yield batch


async def _send(wire: SeedingWire, queue_url: str, batch: list[NumberedEntry]) -> None:
    waiting = batch
    async for attempt in patiently():
        with attempt:
            failed = await wire.send_message_batch(queue_url, [entry for _, entry in waiting])
            waiting = [waiting[index] for index in sorted(failed)]
            if failed:
                code = failed[min(failed)]
                raise TransientSourceError(f"line {waiting[0][0]} was not accepted by {queue_url}: {code}", code=code)
