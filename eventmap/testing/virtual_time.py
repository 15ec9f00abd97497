"""An asyncio event loop whose clock jumps to the next deadline as soon as nothing else can happen.

    ready callbacks?        run them, time stands still
    work outside the loop?  wait for it; time passes, but never faster than real time
    a deadline?             jump to it
    nothing at all?         `VirtualTimeDeadlock`

Work outside the loop is: a job of `run_in_executor`, a child process, an open socket or pipe the loop watches, a thread
of `anyio.to_thread.run_sync` under its default limiter, and whatever is wrapped in `VirtualTimeLoop.outside_work()`.
While it lasts the clock moves only when a deadline has been waited for in real time, so a job of a few milliseconds
takes no virtual time at all, and a timeout around one that never ends still fires.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, Final, TypeVar, TypeVarTuple, cast

import anyio.to_thread

from eventmap.errors import VirtualTimeDeadlock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_WALL_TIME_S: Final = 1_767_225_600.0
"""What `wall_time()` says when a virtual loop starts: 2026-01-01T00:00:00Z."""


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop goes to wait; instead of waiting for a deadline, it moves its own clock there."""

    def __init__(
        self, is_outside_work: Callable[[], bool], describe_tasks: Callable[[], str], jumped: Callable[[], None]
    ) -> None:
        super().__init__()
        self.now_s = 0.0
        self._jumped = jumped
        self._is_outside_work = is_outside_work
        self._describe_tasks = describe_tasks

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        # The loop's own wake-up pipe is always registered; anything beyond it is a peer that may have something to say.
        if len(self.get_map()) > 1 or self._is_outside_work():
            events = super().select(timeout)
            if events or timeout is None:
                return events
        elif timeout is None:
            raise VirtualTimeDeadlock(self._describe_tasks())
        self.now_s += timeout
        self._jumped()
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop on which a sleep of twelve hours takes no time; `eventmap.clock` and every anyio deadline follow it.

    `time()` starts at 0.0, `wall_time()` at `START_WALL_TIME_S`; both advance together and never run backwards.
    """

    def __init__(self) -> None:
        self._outside_work = 0
        self._processes: list[asyncio.BaseTransport] = []
        self._threads: anyio.CapacityLimiter | None = None
        self._jumping = _JumpingSelector(self._is_outside_work, self._describe_tasks, self._jumped)
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def wall_time(self) -> float:
        """Seconds since the epoch, as everything on this loop sees them."""
        return START_WALL_TIME_S + self._jumping.now_s

    @contextmanager
    def outside_work(self) -> Iterator[None]:
        """Say that a thread the loop does not know of will call back: time does not jump inside the block."""
        self._outside_work += 1
        try:
            yield
        finally:
            self._outside_work -= 1

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        # A job counts until its future is done, cancelled included: what nobody waits for any more stops no clock.
        future = super().run_in_executor(executor, func, *args)
        self._outside_work += 1
        future.add_done_callback(self._forget_job)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        with self.outside_work():  # it joins the workers in a thread of its own
            if sys.version_info >= (3, 12):
                await super().shutdown_default_executor(timeout)
            else:
                await super().shutdown_default_executor()

    async def subprocess_exec(self, *args: Any, **kwargs: Any) -> Any:
        with self.outside_work():
            transport, protocol = await super().subprocess_exec(*args, **kwargs)
        self._processes.append(transport)
        return transport, protocol

    async def subprocess_shell(self, *args: Any, **kwargs: Any) -> Any:
        with self.outside_work():
            transport, protocol = await super().subprocess_shell(*args, **kwargs)
        self._processes.append(transport)
        return transport, protocol

    async def watch_threads(self) -> None:
        """Let threads of `anyio.to_thread` hold the clock; only a task of the loop can find out who counts them."""
        self._threads = anyio.to_thread.current_default_thread_limiter()

    def _jumped(self) -> None:
        # After half a year asyncio's own, 1 ns, is less than a float can tell apart: what is due would never be run.
        self._clock_resolution = max(1e-9, math.ulp(self._jumping.now_s))

    def _forget_job(self, _future: asyncio.Future[Any]) -> None:
        self._outside_work -= 1

    def _is_outside_work(self) -> bool:
        if self._outside_work:
            return True
        if self._processes:
            self._processes = [process for process in self._processes if _is_running(process)]
            if self._processes:
                return True
        return self._threads is not None and self._threads.borrowed_tokens > 0

    def _describe_tasks(self) -> str:
        return "; ".join(sorted(_describe(task) for task in asyncio.all_tasks(self))) or "no task is left"


def run_in_virtual_time(async_fn: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run `await async_fn(*args)` on a fresh `VirtualTimeLoop` and return its result; like `asyncio.run`, it cleans up.

    Raises: VirtualTimeDeadlock if all tasks wait and nothing is left that could wake one; whatever `async_fn` raises.
    """

    async def main() -> T:
        await cast(VirtualTimeLoop, asyncio.get_running_loop()).watch_threads()
        return await async_fn(*args)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())


def _is_running(process: asyncio.BaseTransport) -> bool:
    return isinstance(process, asyncio.SubprocessTransport) and process.get_returncode() is None


def _describe(task: asyncio.Task[Any]) -> str:
    """Name the innermost await of a suspended task that is not inside the machinery: a test's or its subject's line."""
    awaited: Any = task.get_coro()
    where = "an await of the library"
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] not in ("asyncio", "anyio"):
            where = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return f"{task.get_name()} at {where}"
