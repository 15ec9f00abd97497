from __future__ import annotations

import anyio
import pytest

from eventmap import clock
from eventmap.errors import TransientSourceError
from eventmap.testing import FaultyQueue, MemorySqs

from .queues import queue

pytestmark = pytest.mark.virtual_time


async def receive(faulty: FaultyQueue, url: str) -> list[dict[str, object]]:
    return await faulty.receive_message(url, max_number_of_messages=10, wait_time_seconds=0)


@pytest.mark.parametrize(("fault", "code"), [("throttle", "ThrottlingException"), ("resets", "")])
async def test_a_refused_call_has_no_effect(memory_sqs: MemorySqs, fault: str, code: str) -> None:
    """Throttles and resets strike before the queue hears of the call."""
    orders = queue(memory_sqs)
    orders.put("a")
    faulty = FaultyQueue(memory_sqs, seed=1, **{fault: 1.0})  # type: ignore[arg-type]

    with pytest.raises(TransientSourceError) as refused:
        await receive(faulty, orders.url)

    assert refused.value.code == code
    assert (faulty.injected[fault], memory_sqs.counts("orders")) == (1, (1, 0, 0))


async def test_a_lost_answer_has_its_effect(memory_sqs: MemorySqs) -> None:
    """The received message is in flight though nobody got it, as when a connection breaks."""
    orders = queue(memory_sqs)
    orders.put("a")
    faulty = FaultyQueue(memory_sqs, seed=1, lost_answers=1.0)

    with pytest.raises(TransientSourceError, match="connection lost"):
        await receive(faulty, orders.url)

    assert memory_sqs.counts("orders") == (0, 0, 1)


async def test_a_failed_entry_is_named_by_its_index_and_not_applied(memory_sqs: MemorySqs) -> None:
    """Errors of the queue itself keep the index of the caller's entry."""
    orders = queue(memory_sqs)
    faulty = FaultyQueue(memory_sqs, seed=3, entry_failures=0.5)
    entries = [{"MessageBody": str(n)} if n % 3 else {} for n in range(10)]

    failed = await faulty.send_message_batch(orders.url, entries)

    injected = {index for index, code in failed.items() if code == "InternalError"}
    refused = {index for index, code in failed.items() if code == "MissingParameter"}
    assert 0 < len(injected) == faulty.injected["entry_failures"] < 10
    assert refused == {0, 3, 6, 9} - injected
    assert [int(message.body) for message in memory_sqs.messages("orders")] == sorted(set(range(10)) - set(failed))


async def test_the_seed_decides_the_faults() -> None:
    """The same seed repeats them, another one does not; the answers of unharmed calls pass through."""

    async def story(seed: int) -> list[object]:
        orders = queue(MemorySqs())
        faulty = FaultyQueue(orders.sqs, seed=seed, throttle=0.3, resets=0.2, lost_answers=0.2, entry_failures=0.2)
        told: list[object] = []
        for turn in range(40):
            try:
                told.append(await faulty.send_message_batch(orders.url, [{"MessageBody": str(turn)}] * 3))
            except TransientSourceError as error:
                told.append(str(error))
        return [told, sorted(faulty.injected.items()), orders.sqs.counts("orders")]

    assert await story(7) == await story(7) != await story(8)


async def test_a_slow_call_takes_its_time_and_can_be_given_up(memory_sqs: MemorySqs) -> None:
    """The wait comes first, so a caller who gives up has changed nothing."""
    orders = queue(memory_sqs)
    orders.put("a")
    faulty = FaultyQueue(memory_sqs, seed=1, slow=1.0, slow_s=30.0)

    with anyio.move_on_after(29):
        await receive(faulty, orders.url)
    assert memory_sqs.counts("orders") == (1, 0, 0)
    assert len(await receive(faulty, orders.url)) == 1

    assert clock.elapsed_s() == 59.0


async def test_only_the_named_calls_are_hit(memory_sqs: MemorySqs) -> None:
    """By default the four message calls; a start-up is disturbed only when asked for."""
    url = await FaultyQueue(memory_sqs, seed=1, throttle=1.0).create_queue("orders", {})
    fussy = FaultyQueue(memory_sqs, seed=1, throttle=1.0, calls={"get_queue_url"})

    assert "QueueArn" in await fussy.get_queue_attributes(url)
    with pytest.raises(TransientSourceError):
        await fussy.get_queue_url("orders")
