"""A process with an asynchronous queue in a file, made to be killed; it notes what it did where a kill takes nothing.

What `os.write` has returned from is the system's: it outlives the process, as an answer on the wire would.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path

import anyio

from eventmap.delivery.asynchronous.queue import AsynchronousQueue
from eventmap.delivery.slots import FunctionSlots
from eventmap.function import Function
from eventmap.model import FunctionError, Response, Returned
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.state.events_sqlite import SqliteEvents

SENDERS = 8
EVENTS_OF_A_LIFE = 300

ACKNOWLEDGED, RAN, TOLD = "acknowledged", "ran", "told"


class Notes:
    """Lines of request ids in `folder`, one file per kind."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._files = {kind: os.open(folder / kind, flags) for kind in (ACKNOWLEDGED, RAN, TOLD)}

    def note(self, kind: str, request_id: str) -> None:
        os.write(self._files[kind], f"{request_id}\n".encode())


def noted(folder: Path, kind: str) -> Sequence[str]:
    file = folder / kind
    return file.read_text().splitlines() if file.exists() else []


def live(folder: Path, life: int, is_last: bool) -> None:
    """One life of the process: it sends itself events and runs them until it is killed; the last, until all ended."""
    logging.disable(logging.CRITICAL)
    anyio.run(_live, folder, life, is_last)


async def _live(folder: Path, life: int, is_last: bool) -> None:
    notes, dice = Notes(folder), random.Random(life)
    earlier = noted(folder, ACKNOWLEDGED)

    async def invoke(event: QueuedEvent) -> Response:
        notes.note(RAN, event.request_id)
        await anyio.sleep(dice.choice([0, 0, 0.001, 0.01]))
        return dice.choice([Returned(b"null"), Returned(b"null"), FunctionError(b"{}", "ValueError")])

    class Told:
        async def deliver(self, event: QueuedEvent, end: EventEnd) -> Sequence[str]:
            notes.note(TOLD, event.request_id)
            await anyio.sleep(dice.choice([0, 0.001]))
            return ()

    async def send(queue: AsynchronousQueue, sender: int) -> None:
        for number in range(EVENTS_OF_A_LIFE // SENDERS):
            request_id = f"{life}-{sender}-{number}"
            if earlier and dice.random() < 0.1:
                request_id = dice.choice(earlier)  # whoever sent it did not hear the answer
            await queue.accept(b'"%s"' % (b"x" * dice.choice([1, 100, 5_000])), request_id=request_id)
            notes.note(ACKNOWLEDGED, request_id)

    store = SqliteEvents(folder / "events.sqlite")
    await store.prepare()
    function = Function(handler=lambda _event, _context: None, function_name="orders", maximum_retry_attempts=0)
    slots = FunctionSlots(8).share()
    queue = AsynchronousQueue(function, store, invoke, Told(), slots=slots, dice=dice)
    async with anyio.create_task_group() as tasks:
        await tasks.start(queue.run)
        if is_last:
            await queue.idle()
            await queue.drain(10)
        else:
            async with anyio.create_task_group() as senders:
                for sender in range(SENDERS):
                    senders.start_soon(send, queue, sender)
            await anyio.sleep_forever()
    await store.aclose()
