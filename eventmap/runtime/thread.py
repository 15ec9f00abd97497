"""A thread of one's own for blocking code, which never keeps the process from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Future[Any], Callable[[], Any]]


class OwnThread(Executor):
    """One thread, started with the first job, for one job at a time.

    Unlike the standard pool's, it is a daemon and nobody joins it at exit: a handler that never returns would keep the
    whole process alive.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        job: Future[T] = Future()
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        self._jobs.put((job, lambda: fn(*args, **kwargs)))
        return job

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Let the thread end after its job; `wait` blocks until then. Jobs not begun are run unless cancelled."""
        if cancel_futures:
            while not self._jobs.empty():
                if (job := self._jobs.get()) is not None:
                    job[0].cancel()
        self._jobs.put(None)
        if wait and self._thread is not None:
            self._thread.join()


def _work(jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        future, run = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            result = run()
        # Whatever a job raises belongs to whoever waits for it, never to the thread.
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        del job, future, run
