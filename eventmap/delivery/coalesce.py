"""Coalescer: single wishes gathered into batched calls of at most ten, a few milliseconds apart at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

Entry = TypeVar("Entry")

BATCH_LIMIT = 10  # entries in one DeleteMessageBatch or ChangeMessageVisibilityBatch (SQS-62)
LINGER_S = 0.005
USELESS_LINGERS = 3  # in a row, after which only every sixteenth call waits for company


class Coalescer(Generic[Entry]):
    """Feeds `send` with up to ten entries a call, from several workers so that one slow call holds up no other.

    A worker that finds fewer than ten waits a few milliseconds for company, unless company has stopped coming.
    `send` must not raise but on cancellation.
    """

    def __init__(self, send: Callable[[list[Entry]], Awaitable[None]], *, workers: int) -> None:
        self._send = send
        self._workers = workers
        self._waiting: deque[Entry] = deque()
        self._wake: anyio.Event | None = None
        self._lingering = False
        self._filled = anyio.Event()
        self._hurried = False
        self._useless = 0  # lingers in a row that brought no company

    def put(self, entry: Entry) -> None:
        self._waiting.append(entry)
        if self._wake is not None:
            self._wake.set()
            self._wake = None
        elif self._lingering and len(self._waiting) >= BATCH_LIMIT:
            self._filled.set()

    def hurry(self) -> None:
        """From now on nothing lingers: the drain is waiting."""
        self._hurried = True
        self._filled.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self._workers):
                tasks.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            await self._arrival()
            if len(self._waiting) < BATCH_LIMIT and self._may_linger():
                if self._lingering:  # another worker already waits for these to become ten
                    await self._filled.wait()
                    continue
                await self._linger()
            entries = [self._waiting.popleft() for _ in range(min(BATCH_LIMIT, len(self._waiting)))]
            if entries:
                await self._send(entries)

    async def _arrival(self) -> None:
        while not self._waiting:
            if self._wake is None:
                self._wake = anyio.Event()
            await self._wake.wait()

    def _may_linger(self) -> bool:
        if self._hurried:
            return False
        if self._useless < USELESS_LINGERS or self._lingering:
            return True
        self._useless += 1
        return self._useless % 16 == 0

    async def _linger(self) -> None:
        found = len(self._waiting)
        self._lingering = True
        self._filled = anyio.Event()
        try:
            with anyio.move_on_after(LINGER_S):
                await self._filled.wait()
        finally:
            self._lingering = False
            self._filled.set()
        self._useless = 0 if len(self._waiting) > found else self._useless + 1
