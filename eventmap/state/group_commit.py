"""GroupCommit: the one writer of a SQLite file. Whatever waits together is one transaction, and synced once."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from eventmap.errors import TransientSourceError
from eventmap.sqlite_file import FileKind, check_identity, reported, transaction

T = TypeVar("T")

GROUP_LIMIT: Final = 256
"""Writes in one transaction, so that none waits long for the others."""

Write = Callable[[sqlite3.Connection], T]


class GroupCommit:
    """Takes writes from one event loop to `connection`, in a thread of its own.

    A write is a function that executes statements and returns its answer; it must bear being called a second time,
    after its first call was rolled back. `opened` is the identity of the file, looked at before every transaction.
    `await aclose()` after all.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, kind: FileKind, opened: tuple[int, int] | None
    ) -> None:
        self._connection = connection
        self._path = path
        self._kind = kind
        self._opened = opened
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventmap-events")
        self._lock = threading.Lock()  # over the next two, which the loop's thread and the writer share
        self._waiting: deque[_Waiting] = deque()
        self._is_at_work = False

    async def write(self, write: Write[T]) -> T:
        """Returns once the write is durable. Cut short, it may be carried out all the same.

        Raises: StateError, TransientSourceError, and what `write` itself raises: then nothing of it is in the file.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._waiting.append(_Waiting(write, answer))
            starts, self._is_at_work = not self._is_at_work, True
        if starts:
            loop.run_in_executor(self._thread, self._work, loop)
        return await answer

    async def aclose(self) -> None:
        """Carry out what waits, then close the connection."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    # What follows runs in the writer's thread.

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while group := self._next_group():
            loop.call_soon_threadsafe(_deliver, group, self._answers(group))

    def _next_group(self) -> list[_Waiting]:
        with self._lock:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_LIMIT))]
            self._is_at_work = bool(group)
        return group

    def _answers(self, group: Sequence[_Waiting]) -> Sequence[_Answer]:
        if len(group) > 1:
            try:
                return [_Answer(value) for value in self._commit(group)]
            except TransientSourceError as error:  # locked: each alone would wait as long
                return [_Answer(error=error)] * len(group)
            except Exception:  # whichever it was: the others must not suffer for it, and it fails again alone
                return [self._answer_alone(waiting) for waiting in group]
        return [self._answer_alone(waiting) for waiting in group]

    def _answer_alone(self, waiting: _Waiting) -> _Answer:
        try:
            [value] = self._commit([waiting])
        except Exception as error:  # raised where it is waited for
            return _Answer(error=error)
        return _Answer(value)

    def _commit(self, group: Sequence[_Waiting]) -> list[Any]:
        check_identity(self._path, self._kind, self._opened)
        with reported(self._path, self._kind), transaction(self._connection, "IMMEDIATE"):
            return [waiting.write(self._connection) for waiting in group]


@dataclass(frozen=True, slots=True)
class _Waiting:
    write: Write[Any]
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Any = None
    error: Exception | None = None


def _deliver(group: Sequence[_Waiting], answers: Sequence[_Answer]) -> None:
    for waiting, answer in zip(group, answers, strict=True):
        if waiting.answer.done():
            continue  # nobody waits any more
        if answer.error is None:
            waiting.answer.set_result(answer.value)
        else:
            waiting.answer.set_exception(answer.error)
