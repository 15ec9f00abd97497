"""The faults of a network and of a busy service, between a caller and any queue that speaks the port."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import anyio

from eventmap.errors import TransientSourceError
from eventmap.testing.sqs_message import RawMessage

T = TypeVar("T")

MESSAGE_CALLS: Final = frozenset(
    {"receive_message", "delete_message_batch", "change_message_visibility_batch", "send_message_batch"}
)


class QueuePort(Protocol):
    """What a queue is to eventmap."""

    async def get_queue_url(self, name: str, owner: str | None = None) -> str: ...

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]: ...

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str: ...

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]: ...

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]: ...

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]: ...

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]: ...


class FaultyQueue:
    """A queue whose calls go wrong at the given rates, each 0..1; the same `seed` and calls give the same faults.

    - `throttle`: refused before it takes effect, TransientSourceError `ThrottlingException`
    - `resets`: the connection breaks before it takes effect, TransientSourceError without a code
    - `lost_answers`: it takes effect, then the connection breaks: a receive leaves its messages in flight
    - `entry_failures`: per entry of a batch; that entry is not applied and reported as `InternalError`
    - `slow`: it takes `slow_s` seconds longer, before it takes effect

    Only the methods named in `calls` are hit. `injected` counts the faults by the names above.
    """

    def __init__(
        self,
        queue: QueuePort,
        *,
        seed: int,
        throttle: float = 0.0,
        lost_answers: float = 0.0,
        resets: float = 0.0,
        entry_failures: float = 0.0,
        slow: float = 0.0,
        slow_s: float = 1.0,
        calls: Collection[str] = MESSAGE_CALLS,
    ) -> None:
        self.queue = queue
        self.injected: Counter[str] = Counter()
        self._dice = random.Random(seed)
        self._rates = {"slow": slow, "throttle": throttle, "resets": resets, "lost_answers": lost_answers}
        self._entry_failures = entry_failures
        self._slow_s = slow_s
        self._calls = frozenset(calls)

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        return await self._disturbed("get_queue_url", lambda: self.queue.get_queue_url(name, owner))

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        return await self._disturbed("get_queue_attributes", lambda: self.queue.get_queue_attributes(queue_url))

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        return await self._disturbed("create_queue", lambda: self.queue.create_queue(name, attributes))

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]:
        def receive() -> Awaitable[list[RawMessage]]:
            return self.queue.receive_message(
                queue_url,
                max_number_of_messages=max_number_of_messages,
                wait_time_seconds=wait_time_seconds,
                visibility_timeout=visibility_timeout,
            )

        return await self._disturbed("receive_message", receive)

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        return await self._batch(
            "delete_message_batch", receipts, lambda kept: self.queue.delete_message_batch(queue_url, kept)
        )

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        return await self._batch(
            "change_message_visibility_batch",
            entries,
            lambda kept: self.queue.change_message_visibility_batch(queue_url, kept),
        )

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        return await self._batch(
            "send_message_batch", entries, lambda kept: self.queue.send_message_batch(queue_url, kept)
        )

    async def _batch(
        self, name: str, entries: Sequence[T], apply: Callable[[Sequence[T]], Awaitable[dict[int, str]]]
    ) -> dict[int, str]:
        rate = self._entry_failures if name in self._calls else 0.0
        failed = {index for index in range(len(entries)) if self._dice.random() < rate}
        kept = [index for index in range(len(entries)) if index not in failed]

        async def apply_kept() -> dict[int, str]:
            self.injected["entry_failures"] += len(failed)
            # An empty batch goes through as it is: refusing it is the queue's business.
            codes = await apply([entries[index] for index in kept]) if kept or not entries else {}
            return {kept[index]: code for index, code in codes.items()} | dict.fromkeys(failed, "InternalError")

        answer = await self._disturbed(name, apply_kept)
        return dict(sorted(answer.items()))

    async def _disturbed(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        # All dice are thrown for every call, so that one rate does not shift where another's faults fall.
        hit = {fault for fault, rate in self._rates.items() if self._dice.random() < rate and name in self._calls}
        if "slow" in hit:
            self.injected["slow"] += 1
            await anyio.sleep(self._slow_s)
        if "throttle" in hit:
            self.injected["throttle"] += 1
            raise TransientSourceError("rate exceeded", code="ThrottlingException")
        if "resets" in hit:
            self.injected["resets"] += 1
            raise TransientSourceError("connection reset")
        answer = await call()
        if "lost_answers" in hit:
            self.injected["lost_answers"] += 1
            raise TransientSourceError("connection lost")
        return answer
