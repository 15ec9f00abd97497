"""One task on one virtual-time loop that runs coroutines handed in from synchronous code, one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from eventmap.errors import VirtualTimeDeadlock
from eventmap.testing.virtual_time import VirtualTimeLoop

T = TypeVar("T")


class VirtualTimeHost:
    """Runs a test and its fixtures in the same task, so that what one enters another may exit."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self._work: asyncio.Queue[tuple[Awaitable[Any], asyncio.Future[Any]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_unwinding = False

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, traceback)

    @property
    def loop(self) -> VirtualTimeLoop:
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return loop

    def run(self, work: Awaitable[T]) -> T:
        """Await `work` in the host's task.

        Raises: what it raises; VirtualTimeDeadlock if it can never end, after it was cancelled.
        """
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._serve(), name="test")
        answer: asyncio.Future[T] = self.loop.create_future()
        self._work.put_nowait((work, answer))
        try:
            return self.loop.run_until_complete(answer)
        except VirtualTimeDeadlock:
            # Unwind the test only: its fixtures still want to clean up in the task they were set up in.
            self._is_unwinding = True
            self._task.cancel()
            with suppress(asyncio.CancelledError, VirtualTimeDeadlock):
                self.loop.run_until_complete(answer)
            self._is_unwinding = False
            raise

    async def _serve(self) -> None:
        await self.loop.watch_threads()
        while True:
            work, answer = await self._work.get()
            try:
                result = await work
            except asyncio.CancelledError:
                answer.cancel()
                if not self._is_unwinding:
                    raise
                if self._task is not None:
                    self._task.uncancel()
            except BaseException as error:  # whatever it is, it belongs to the test, in whose thread `run` raises it
                answer.set_exception(error)
            else:
                answer.set_result(result)
