"""@idempotent on `async def` handlers, on virtual time."""

from __future__ import annotations

import functools
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from eventmap import each_record
from eventmap.clock import elapsed_s
from eventmap.errors import TransientSourceError
from eventmap.idempotency import AlreadyInProgress, ClaimLost, IdempotencyError, MemoryStore, idempotent
from eventmap.rules.idempotency import MARGIN_S
from eventmap.testing import run_in_virtual_time

from .faults import FaultyStore
from .test_decorator import Context, message

pytestmark = pytest.mark.virtual_time


@dataclass
class Deadline:
    """The context of an invocation that ends at an instant of the loop's clock."""

    at_s: float
    function_name: str = "orders"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.at_s - elapsed_s()) * 1000))


async def test_an_async_handler_runs_once_per_key() -> None:
    """Also one that is an object, or a partial of one, and on the records of a batch."""
    runs: list[str] = []

    class Callable:
        async def __call__(self, event: Any, context: Any) -> int:
            runs.append("object")
            return 1

    async def handle(more: int, event: Any, context: Any) -> int:
        runs.append("partial")
        return more

    @each_record
    @idempotent(MemoryStore(), scope="records")
    async def of_record(record: Any, context: Any) -> None:
        runs.append(record["messageId"])

    by_object = idempotent(MemoryStore(), scope="object")(Callable())
    by_partial = idempotent(MemoryStore(), scope="partial")(functools.partial(handle, 2))
    for _ in range(2):
        assert await by_object({}, None) == 1
        assert await by_partial({}, None) == 2
        assert await of_record({"Records": [message(1), message(2)]}, Context()) == {"batchItemFailures": []}

    assert runs == ["object", "partial", "m1", "m2"]


async def test_a_second_call_waits_for_the_first_or_is_turned_away() -> None:
    """As long as `wait_s`; the loop runs on meanwhile."""
    runs: list[float] = []

    async def handle(event: Any, context: Any) -> int:
        runs.append(elapsed_s())
        await anyio.sleep(5)
        return len(runs)

    store, answers = MemoryStore(), []
    patient = idempotent(store, wait_s=10, scope="orders")(handle)
    hasty = idempotent(store, scope="orders")(handle)

    async def call(handler: Any) -> None:
        answers.append((await handler({}, Context()), elapsed_s()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, patient)
        await anyio.sleep(1)
        tasks.start_soon(call, patient)
        with pytest.raises(AlreadyInProgress):
            await hasty({}, Context())

    assert runs == [0.0]
    (first, ended_at), (second, answered_at) = answers
    assert (first, second) == (1, 1)
    assert ended_at <= answered_at <= ended_at + 1.1


async def test_who_waits_takes_over_when_the_claim_expires() -> None:
    """The first one died; nobody waits longer for it than its invocation would have lasted."""
    store = MemoryStore()

    @idempotent(store, wait_s=60, scope="orders")
    async def handler(event: Any, context: Any) -> float:
        if context.at_s == 10:
            raise BaseExceptionGroup("dies", [KeyboardInterrupt()])
        return elapsed_s()

    dying = idempotent(FaultyStore(store, throttle=1.0, only=("release",)), scope="orders")(handler.__wrapped__)  # type: ignore[attr-defined]
    with pytest.raises(BaseExceptionGroup):
        await dying({}, Deadline(10))

    assert await handler({}, Deadline(100)) == pytest.approx(10 + MARGIN_S, abs=0.1)


async def test_who_was_too_slow_learns_that_its_claim_is_lost() -> None:
    """The fence: of two that run at once, the later claim's result is the one that stands."""
    store, lost = MemoryStore(), []

    @idempotent(store, scope="orders")
    async def handler(event: Any, context: Any) -> float:
        started = elapsed_s()
        await anyio.sleep(20)
        return started

    async def too_slow() -> None:
        with pytest.raises(ClaimLost):
            await handler({}, Deadline(10))
        lost.append(elapsed_s())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(too_slow)
        await anyio.sleep(12)
        assert await handler({}, Deadline(60)) == 12

    assert lost == [20]
    assert await handler({}, Deadline(60)) == 12


async def test_a_call_that_is_cancelled_gives_its_key_back() -> None:
    """Its invocation timed out: unlike a thread it has really stopped, so a retry may run at once."""
    store, runs = MemoryStore(), []

    @idempotent(store, scope="orders")
    async def handler(event: Any, context: Any) -> str:
        runs.append(1)
        await anyio.sleep(0 if len(runs) > 1 else 3600)
        return "done"

    with anyio.move_on_after(3) as limit:
        await handler({}, Deadline(900))

    assert limit.cancelled_caught
    assert store.entries == {}
    assert await handler({}, Deadline(900)) == "done"


async def test_a_claim_without_an_answer_is_given_back() -> None:
    """It may stand all the same, and nobody runs under it."""
    store = MemoryStore()

    @idempotent(FaultyStore(store, lost_answers=1.0, only=("claim",)), scope="orders")
    async def handler(event: Any, context: Any) -> None:
        raise AssertionError("ran")

    with pytest.raises(TransientSourceError):
        await handler({}, Context())

    assert store.entries == {}


async def _play(seed: int) -> tuple[Counter[str], int]:
    """Calls of one key through a faulty store, some cut short; at most one result may ever be answered."""
    dice, happened, results = random.Random(seed), Counter[str](), []
    store = MemoryStore()
    faulty = FaultyStore(store, seed=seed, throttle=0.05, lost_answers=0.15, repeats=1)

    @idempotent(faulty, wait_s=2, scope="orders")
    async def handler(event: Any, context: Any) -> int:
        happened["run"] += 1
        number = happened["run"]
        await anyio.sleep(dice.choice([0, 0.5, 4]))
        if dice.random() < 0.2:
            raise ValueError("not today")
        return number

    async def call() -> None:
        await anyio.sleep(dice.uniform(0, 20))
        try:
            with anyio.move_on_after(dice.choice([0.3, 3, 60])) as limit:
                results.append(await handler({}, Deadline(elapsed_s() + 2)))
            happened["cancelled"] += limit.cancelled_caught
        except (IdempotencyError, TransientSourceError, ValueError) as error:
            happened[type(error).__name__] += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(call)
    assert len(set(results)) <= 1, (seed, results)
    return happened, len(results)


def test_whatever_goes_wrong_one_result_is_answered() -> None:
    """Lost answers, cancellations, handlers that raise or outlive their claim: who hears one, hears the same."""
    total: Counter[str] = Counter()
    for seed in range(300):
        happened, answers = run_in_virtual_time(_play, seed)
        total += happened
        total["answers"] += answers

    assert total["answers"] > 1000
    names = ("AlreadyInProgress", "ClaimLost", "TransientSourceError", "ValueError", "cancelled")
    assert min(total[name] for name in names) > 3, total
