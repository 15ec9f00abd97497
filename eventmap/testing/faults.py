"""The faults of a network and of a busy service, between a caller and any queue that speaks the port."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from eventmap.testing.fault_dice import FaultDice
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
        self._entry_failures = entry_failures
        self._faults = FaultDice(
            seed,
            throttle=throttle,
            lost_answers=lost_answers,
            resets=resets,
            slow=slow,
            slow_s=slow_s,
            calls=calls,
        )

    @property
    def injected(self) -> Counter[str]:
        return self._faults.injected

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        return await self._faults.disturbed("get_queue_url", lambda: self.queue.get_queue_url(name, owner))

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        return await self._faults.disturbed("get_queue_attributes", lambda: self.queue.get_queue_attributes(queue_url))

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        return await self._faults.disturbed("create_queue", lambda: self.queue.create_queue(name, attributes))

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

        return await self._faults.disturbed("receive_message", receive)

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
        failed = {index for index in range(len(entries)) if self._faults.hits(name, self._entry_failures)}
        kept = [index for index in range(len(entries)) if index not in failed]

        async def apply_kept() -> dict[int, str]:
            self.injected["entry_failures"] += len(failed)
            # An empty batch goes through as it is: refusing it is the queue's business.
            codes = await apply([entries[index] for index in kept]) if kept or not entries else {}
            return {kept[index]: code for index, code in codes.items()} | dict.fromkeys(failed, "InternalError")

        answer = await self._faults.disturbed(name, apply_kept)
        return dict(sorted(answer.items()))
