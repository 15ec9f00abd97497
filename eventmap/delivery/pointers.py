"""ResolvingSource: a queue whose messages arrive with the payloads that their pointers lead to (SNS-135..142)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import anyio

from eventmap.delivery.loop import Source
from eventmap.errors import SourceError
from eventmap.model import EntryFailure, Record
from eventmap.pointers import PointerResolver

AT_ONCE = 10
WITHIN_S = 20.0  # well below what a receive may take before it counts as stalled


class ResolvingSource:
    """Stands before a queue. What cannot be had now is left in flight: it comes back, or is dead-lettered by the queue.

    Of a FIFO queue what follows it in its group is left, too, or it would overtake.
    """

    def __init__(self, source: Source, resolver: PointerResolver) -> None:
        self._source = source
        self._resolver = resolver

    async def receive(self, count: int, wait_s: int) -> tuple[Sequence[Record], int]:
        """As the queue's; a message left out counts as one that arrived damaged."""
        records, returned = await self._source.receive(count, wait_s)
        if not any(self._resolver.concerns(_body(record)) for record in records):
            return records, returned
        return await self._resolved(records), returned

    async def delete(self, receipts: Sequence[str]) -> Mapping[int, EntryFailure]:
        return await self._source.delete(receipts)

    async def change_visibility(self, entries: Sequence[tuple[str, int]]) -> Mapping[int, EntryFailure]:
        return await self._source.change_visibility(entries)

    async def _resolved(self, records: Sequence[Record]) -> list[Record]:
        found: dict[int, Record] = {}
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def resolve(index: int, record: Record) -> None:
            async with limiter:
                try:
                    body = await self._resolver.resolved(_body(record))
                except SourceError:
                    return  # told where it was noticed
                found[index] = record if body == _body(record) else _with_body(record, body)

        with anyio.move_on_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:
                for index, record in enumerate(records):
                    tasks.start_soon(resolve, index, record)
        held_up: set[str] = set()
        passing = []
        for index, record in enumerate(records):
            if index not in found or (record.group is not None and record.group in held_up):
                if record.group is not None:
                    held_up.add(record.group)
            else:
                passing.append(found[index])
        return passing


def _body(record: Record) -> str:
    return str(record.body["body"])


def _with_body(record: Record, body: str) -> Record:
    return replace(record, body={**record.body, "body": body}, size_bound=0)
