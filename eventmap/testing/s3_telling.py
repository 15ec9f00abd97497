"""How S3 in memory tells queues, topics and functions: at once, or late, twice and out of order (SRC-27, 32)."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from eventmap.clock import elapsed_s
from eventmap.errors import SourceError
from eventmap.testing.memory_sqs import MemorySqs
from eventmap.testing.sqs_clock import QueueClock

Tell = Callable[[str, str], object]
"""(ARN, text of the notification): how a topic or function is told."""


class Telling:
    """See `MemoryS3` for what the settings do."""

    def __init__(
        self,
        queues: MemorySqs | None,
        publish: Tell | None,
        invoke: Tell | None,
        *,
        delay_s: float,
        disorder: bool,
        duplicates: float,
        seed: int,
    ) -> None:
        self._queues = queues
        self._publish = publish
        self._invoke = invoke
        self._delay_s = delay_s
        self._disorder = disorder
        self._duplicates = duplicates
        self._dice = random.Random(seed)
        self._clock = QueueClock()
        self._ties = itertools.count()
        self._late: list[tuple[float, int, str, str]] = []  # a heap: (due, tie, ARN, text)
        self._changed = anyio.Event()
        self._is_running = False

    def reaches(self, arn: str) -> bool:
        """Whether there is such a destination now."""
        match _service(arn):
            case "sqs":
                return self._queues is not None and _name(arn) in self._queues.queue_names()
            case "sns":
                return self._publish is not None
            case "lambda":
                return self._invoke is not None
            case _:
                return False

    def tell(self, arn: str, text: str) -> None:
        """Now or later, once or twice, as the settings say."""
        now = self._clock.now_s()
        for _ in range(2 if self._dice.random() < self._duplicates else 1):
            wait_s = self._delay_s * (self._dice.random() if self._disorder else 1.0)
            if self._delay_s:
                heapq.heappush(self._late, (now + wait_s, next(self._ties), arn, text))
                self._changed.set()
            else:
                self.send(arn, text)

    def send(self, arn: str, text: str) -> None:
        """Now, and once. A destination that is gone is passed over, as S3 does after a while."""
        match _service(arn):
            case "sqs" if self._queues is not None:
                try:
                    self._queues.put(_name(arn), text)
                except SourceError:
                    return
            case "sns" if self._publish is not None:
                self._publish(arn, text)
            case "lambda" if self._invoke is not None:
                self._invoke(arn, text)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Tell what is late, for the length of the block. Raises: RuntimeError inside another such block."""
        if self._is_running:
            raise RuntimeError("this S3 is delivering already")
        async with anyio.create_task_group() as tasks:
            self._is_running = True
            tasks.start_soon(self._run)
            try:
                yield
            finally:
                self._is_running = False
                tasks.cancel_scope.cancel()

    async def settled(self) -> None:
        """Wait until nothing is late any more. Raises: RuntimeError outside `running`."""
        while self._late:
            if not self._is_running:
                raise RuntimeError("nothing is delivered late outside `async with s3.delivering():`")
            await self._changed.wait()

    async def _run(self) -> None:
        while True:
            self._clock.now_s()  # the offset of this loop, if it has just begun
            while self._late and self._clock.loop_deadline(self._late[0][0]) <= elapsed_s():
                _, _, arn, text = heapq.heappop(self._late)
                self.send(arn, text)
            self._changed.set()
            self._changed = changed = anyio.Event()
            due = self._clock.loop_deadline(self._late[0][0]) if self._late else float("inf")
            with anyio.CancelScope(deadline=due):
                await changed.wait()


def _service(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[2] if len(parts) == 6 else ""


def _name(arn: str) -> str:
    return arn.split(":", 5)[5]
