"""What every store of event buses promises, in memory and in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from eventmap.delivery.bus.ports import BusStore
from eventmap.rules.bus.delivery import AttemptError, Delivery, GivenUp, new_delivery
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.bus.taken import Taken
from eventmap.rules.bus.target import BusTarget, read_target
from eventmap.state.buses_memory import MemoryBuses
from eventmap.state.buses_sqlite import SqliteBuses

A, B = (f"arn:aws:sqs:eu-west-1:123456789012:{name}" for name in "ab")
RULE = "arn:aws:events:eu-west-1:123456789012:rule/r"


def event(number: int, *, at: float = 100.0) -> BusEvent:
    return BusEvent(
        event_id=f"id-{number}",
        source="shop",
        detail_type="order",
        detail='{"n": 1.0e5}',
        account="123456789012",
        region="eu-west-1",
        time="2026-01-01T00:00:00Z",
        ingested_at=at,
        resources=("r",),
    )


def delivery(number: int, arn: str = A, *, at: float = 100.0, target: BusTarget | None = None) -> Delivery:
    return new_delivery(event(number, at=at), RULE, target or BusTarget(target_id="t", arn=arn))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BusStore]:
    """One of each kind in turn."""
    if request.param == "memory":
        yield MemoryBuses()
        return
    file = SqliteBuses(tmp_path / "buses.sqlite")
    await file.prepare()
    await file.prepare()
    yield file
    await file.aclose()
    await file.aclose()


async def test_what_is_taken_is_due_the_longest_due_first(store: BusStore) -> None:
    """Nothing before its time; as it was."""
    late, early, later = delivery(1, at=20), delivery(2, at=10), delivery(3, at=30)
    await store.take(Taken([late, early, later]))

    assert await store.next_due() == 10
    assert await store.due(25, 10) == [early, late]
    assert await store.next_due() == 30
    assert await store.due(25, 10) == []


async def test_every_member_of_a_delivery_is_kept(store: BusStore) -> None:
    """Of the event, the target, and how it stands."""
    target = read_target(
        {
            "Id": "t",
            "Arn": f"{A}.fifo",
            "SqsParameters": {"MessageGroupId": "g"},
            "InputTransformer": {"InputPathsMap": {"a": "$.b"}, "InputTemplate": '"<a>"'},
            "RetryPolicy": {"MaximumRetryAttempts": 1},
            "DeadLetterConfig": {"Arn": B},
        }
    )
    fresh = delivery(1, target=target)
    whole = replace(fresh, event=replace(fresh.event, replay_name="p", trace_id="Root=1", hops=2))
    await store.take(Taken([whole]))
    assert await store.due(100, 1) == [whole]
    error = AttemptError("THROTTLING", "slow", True)
    given_up = GivenUp(5.0, "MaximumRetryAttempts", "THROTTLING", "slow")
    tried = replace(whole, attempts=2, error=error, due_at=200.0, given_up=given_up, dead_letter_attempts=3)

    await store.again(tried)

    assert await store.due(199, 1) == []
    assert await store.due(200, 1) == [tried]


async def test_what_is_held_is_nobody_elses_and_what_is_done_is_gone(store: BusStore) -> None:
    """Until it is let go of."""
    first, second = delivery(1), delivery(2)
    await store.take(Taken([first, second]))
    assert await store.due(100, 1) == [first]
    assert await store.due(100, 5) == [second]
    await store.again(first)
    await store.done(second)

    assert await store.due(100, 5) == [first]
    assert await store.owed(5) == 1
    await store.done(first)
    await store.done(first)
    assert (await store.owed(5), await store.next_due()) == (0, None)


async def test_a_delivery_that_is_owed_stays_as_it_is(store: BusStore) -> None:
    """Taken a second time: held, it is not given to anybody else; its attempts are not forgotten."""
    one = delivery(1)
    await store.take(Taken([one]))
    [held] = await store.due(100, 1)
    await store.take(Taken([one]))
    assert await store.due(100, 1) == []
    await store.again(replace(held, attempts=4, due_at=110))
    await store.take(Taken([one]))

    assert [each.attempts for each in await store.due(110, 5)] == [4]


async def test_busy_addressees_are_passed_over(store: BusStore) -> None:
    """Once given up it is the dead-letter queue that counts."""
    dead = BusTarget(target_id="t", arn=A, dead_letter_arn=B)
    mine, other, given_up = delivery(1, A, at=1), delivery(2, B, at=2), delivery(3, at=3, target=dead)
    given_up = replace(given_up, given_up=GivenUp(3.0, None, "NO_RESOURCE", "gone"))
    await store.take(Taken([mine, other, replace(given_up, given_up=None)]))
    held = [each for each in await store.due(100, 5) if each.delivery_id == given_up.delivery_id]
    assert [each.addressee for each in held] == [A]
    for each in (mine, other, given_up):
        await store.again(each)

    assert await store.next_due(without={A}) == 2
    assert await store.next_due(without={A, B}) is None
    assert await store.due(100, 5, without={B}) == [mine]
    assert await store.due(100, 5, without={A}) == [other, given_up]


async def test_what_is_owed_is_counted_up_to_a_limit(store: BusStore) -> None:
    """All of it, or what is due by then; held or not."""
    await store.take(Taken([delivery(number, at=number) for number in range(1, 6)]))
    await store.due(1, 1)

    assert [await store.owed(limit) for limit in (3, 10)] == [3, 5]
    assert await store.owed(10, due_by=3) == 3


async def test_definitions_change_and_archives_go_with_their_events(store: BusStore) -> None:
    """In place of the one there, or away."""
    await store.change({("bus", "a"): {"x": 1}, ("archive", "a"): {"y": [1]}, ("archive", "b"): {}})
    await store.take(Taken(archived=[("a", event(1)), ("b", event(2))], changes={("replay", "p"): {"z": None}}))
    await store.change({("bus", "a"): {"x": 2}, ("archive", "a"): None, ("bus", "unknown"): None})

    assert await store.documents() == {("bus", "a"): {"x": 2}, ("archive", "b"): {}, ("replay", "p"): {"z": None}}
    assert {name: count for name, (count, _) in (await store.archive_sizes()).items()} == {"b": 1}


async def test_archived_events_come_in_the_order_in_which_they_were_taken(store: BusStore) -> None:
    """A page at a time."""
    await store.take(Taken(archived=[("a", event(number)) for number in range(5)]))
    await store.take(Taken(archived=[("b", event(7)), ("a", event(5))]))

    first = await store.archived("a", 0, 4)
    rest = await store.archived("a", first[-1].position, 4)

    assert [each.event for each in (*first, *rest)] == [event(number) for number in range(6)]
    assert await store.archived("a", rest[-1].position, 4) == []
    count, size = (await store.archive_sizes())["a"]
    assert (count, size) == (6, 6 * len(event(1).text()))


async def test_old_events_are_forgotten_a_little_at_a_time(store: BusStore) -> None:
    """Of the archives that are named, those taken before."""
    await store.take(Taken(archived=[(name, event(at, at=at)) for name in "ab" for at in range(1, 6)]))

    assert await store.forget({"a": 4.0}, 2) == 2
    assert await store.forget({"a": 4.0}, 2) == 1
    assert await store.forget({"a": 4.0}, 2) == 0
    assert [each.event.ingested_at for each in await store.archived("a", 0, 9)] == [4, 5]
    assert len(await store.archived("b", 0, 9)) == 5


async def test_what_a_bus_forwards_is_one_write(store: BusStore) -> None:
    """Done here, owed there."""
    one, other = delivery(1), delivery(2)
    await store.take(Taken([one]))
    await store.due(100, 1)

    await store.done(one, Taken([other], archived=[("a", event(2))]))

    assert await store.due(100, 5) == [other]
    assert list(await store.archive_sizes()) == ["a"]
