"""What every store of asynchronous events does alike, whoever keeps them; all on virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from eventmap.clock import wall_time_s
from eventmap.state.events_memory import MemoryEvents
from tests.state.events import (
    ERROR,
    NOW,
    AnyEvents,
    dropped,
    event,
    failure,
    listed,
    opened,
    reopened,
    retried,
    success,
)

DAY_S = 24 * 3600.0

pytestmark = pytest.mark.virtual_time


@pytest.fixture(params=["memory", "sqlite"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds of store there are."""
    return str(request.param)


@pytest.fixture
async def store(kind: str, tmp_path: Path) -> AsyncIterator[AnyEvents]:
    """Each kind in turn, empty."""
    if kind == "memory":
        yield MemoryEvents()
        return
    file = await opened(tmp_path / "events.sqlite")
    yield file
    await file.aclose()


async def test_inv_40_an_accepted_event_is_owed_as_it_was_sent(store: AnyEvents) -> None:
    """Every field of it, whatever bytes its payload has; due at once, then held."""
    sent = event(
        payload='{"a": 1.50,\n "ü":"\\u0000"}'.encode(),
        qualifier="live",
        trace_id="Root=1",
        failures=1,
        refusals=2,
        last_error=ERROR,
    )

    assert await store.accept(sent)

    assert await store.next_due("orders") == NOW
    assert await store.due("orders", NOW, 10) == [sent]
    assert await store.due("orders", NOW, 10) == []
    assert await store.next_due("orders") is None


async def test_inv_42_a_request_id_is_accepted_once(store: AnyEvents) -> None:
    """While it is owed, while it is held, and after its end; the first one stays as it is."""
    first, second = event(), event(payload=b'{"n": 2}')

    answers = [await store.accept(first), await store.accept(second)]
    [held] = await store.due("orders", NOW, 10)
    answers.append(await store.accept(second))
    await store.end(held, success(), ())
    answers.append(await store.accept(second))

    assert answers == [True, False, False, False]
    assert held == first
    assert await store.next_due("orders") is None


async def test_inv_40_the_longest_due_come_first_and_others_later(store: AnyEvents) -> None:
    """Up to the limit; what is due in the future, or another function's, does not come."""
    for number in (3, 1, 2, 5):
        await store.accept(event(f"id-{number}", due_at=NOW + number))
    await store.accept(event("id-0", function_name="returns"))

    assert await store.due("orders", NOW, 10) == []
    assert await store.next_due("orders") == NOW + 1
    assert [each.request_id for each in await store.due("orders", NOW + 4, 2)] == ["id-1", "id-2"]
    assert [each.request_id for each in await store.due("orders", NOW + 4, 2)] == ["id-3"]
    assert await store.next_due("orders") == NOW + 5
    assert await store.functions() == {"orders": 4, "returns": 1}


async def test_inv_41_again_keeps_the_new_state_and_lets_go(store: AnyEvents) -> None:
    """The next time it is due it comes with its failures."""
    await store.accept(event())
    [held] = await store.due("orders", NOW, 1)
    later = replace(held, failures=1, refusals=3, last_error=ERROR, due_at=NOW + 60)

    await store.again(later)

    assert await store.next_due("orders") == NOW + 60
    assert await store.due("orders", NOW + 59.9, 1) == []
    assert await store.due("orders", NOW + 60, 1) == [later]


async def test_inv_48_an_end_is_recorded_once(store: AnyEvents) -> None:
    """Whatever comes after the first changes nothing, and nothing brings the event back."""
    await store.accept(event())
    [held] = await store.due("orders", NOW, 1)

    await store.end(held, failure(), ["arn:aws:sqs:us-east-1:1:dead: gone"])
    await store.end(held, success(), ())
    await store.again(replace(held, due_at=NOW))

    [row] = listed(store)
    assert (row.state, row.condition, row.attempts, row.error_type) == ("failed", "RetriesExhausted", 3, "ValueError")
    assert row.undelivered == ("arn:aws:sqs:us-east-1:1:dead: gone",)
    assert await store.due("orders", NOW, 10) == []


async def test_inv_40_a_process_that_died_holds_nothing(store: AnyEvents) -> None:
    """What it had taken is due again; what it had ended stays so."""
    for number in range(4):
        await store.accept(event(f"id-{number}"))
    first, second, *_ = await store.due("orders", NOW, 3)
    await store.end(first, success(), ())
    await store.again(replace(second, failures=1, due_at=NOW + 60))

    after = await reopened(store)

    assert sorted(each.request_id for each in await after.due("orders", NOW, 10)) == ["id-2", "id-3"]
    assert await after.next_due("orders") == NOW + 60
    assert [row.request_id for row in listed(after, "succeeded")] == ["id-0"]
    if not isinstance(after, MemoryEvents):
        await after.aclose()


async def test_inv_40_successes_are_known_for_a_day_failures_for_two_weeks(store: AnyEvents) -> None:
    """Until then a repetition is told from a new event; afterwards nothing is left of them."""
    for request_id, end in (("done", success()), ("failed", failure())):
        await store.accept(event(request_id))
        [held] = await store.due("orders", NOW, 1)
        await store.end(held, end, ())
    known = []
    for days in (0.99, 1.01, 13.9, 14.1):
        await anyio.sleep(NOW + days * DAY_S - wall_time_s())
        await store.accept(event(f"other-{days}"))
        for held in await store.due("orders", NOW, 9):  # with an end, a file forgets what is too old
            await store.end(held, success(ended_at=wall_time_s()), ())
        known.append({row.request_id for row in listed(store)} & {"done", "failed"})

    assert known == [{"done", "failed"}, {"failed"}, {"failed"}, set()]
    assert await store.accept(event("failed"))


async def test_an_operator_sees_every_state(store: AnyEvents) -> None:
    """What is owed first, by when it is due; then what has ended, the last in front; by state and by function."""
    for request_id, end in (("done", success()), ("failed", failure(ended_at=NOW + 5))):
        await store.accept(event(request_id, function_name="returns"))
        [held] = await store.due("returns", NOW, 1)
        await store.end(held, end, ())
    await store.accept(event("waiting", accepted_at=NOW - 10, due_at=NOW + 60, failures=1, last_error=ERROR))
    await store.accept(event("queued", qualifier="live", refusals=2, last_error=b"?"))
    await store.accept(event("dropped"))
    dropped(store, "dropped")

    rows = {row.request_id: row for row in listed(store)}

    assert list(rows) == ["queued", "waiting", "failed", "done", "dropped"]
    assert [row.state for row in rows.values()] == ["queued", "waiting", "failed", "succeeded", "dropped"]
    waiting, queued, failed = rows["waiting"], rows["queued"], rows["failed"]
    assert (waiting.age_s, waiting.attempts, waiting.due_at, waiting.error_type) == (10, 1, NOW + 60, "ValueError")
    assert (queued.qualifier, queued.refusals, queued.error_type, queued.condition) == ("live", 2, "", "")
    assert (failed.age_s, failed.ended_at, failed.due_at) == (5, NOW + 5, None)
    for state in ("queued", "waiting", "failed", "dropped"):
        assert [row.request_id for row in listed(store, state)] == [state]  # type: ignore[arg-type]
    assert [row.request_id for row in listed(store, function="returns")] == ["failed", "done"]


async def test_an_operators_retry_owes_a_failed_event_anew(store: AnyEvents) -> None:
    """Same id and payload, no attempts, a new age; its old end is forgotten, and there will be one again."""
    await store.accept(event(accepted_at=NOW - 30_000, failures=2, qualifier="live"))
    [held] = await store.due("orders", NOW, 1)
    await store.end(held, failure(), ())

    assert retried(store, "id-1", "other") == {"id-1": "owed anew", "other": "unknown"}

    assert await store.due("orders", NOW, 1) == [event(qualifier="live")]
    assert [row.state for row in listed(store)] == ["queued"]


async def test_an_operators_retry_hastens_what_waits(store: AnyEvents) -> None:
    """It keeps what it had; a success cannot be retried, for its payload is gone."""
    await store.accept(event(due_at=NOW + 60, failures=1, last_error=ERROR))
    await store.accept(event("id-2"))
    [held] = await store.due("orders", NOW, 1)
    await store.end(held, success(), ())

    assert retried(store, "id-1", "id-2") == {"id-1": "due now", "id-2": "succeeded"}

    assert await store.due("orders", NOW, 9) == [event(failures=1, last_error=ERROR)]


async def test_what_an_operator_dropped_ends_as_dropped(store: AnyEvents) -> None:
    """Even under way: what comes of the attempt is not recorded. It can be retried all the same."""
    await store.accept(event())
    await store.accept(event("id-2", due_at=NOW + 60))
    [held] = await store.due("orders", NOW, 1)

    answers = dropped(store, "id-1", "id-2", "other"), dropped(store, "id-1")
    await store.end(held, success(), ())
    await store.again(replace(held, due_at=NOW))

    assert answers == ({"id-1": "dropped", "id-2": "dropped", "other": "unknown"}, {"id-1": "ended"})
    assert [(row.state, row.condition) for row in listed(store)] == [("dropped", "Dropped")] * 2
    assert await store.next_due("orders") is None
    assert retried(store, "id-1") == {"id-1": "owed anew"}
    assert await store.due("orders", NOW, 9) == [event()]


async def test_an_operators_deed_is_noticed(store: AnyEvents) -> None:
    """By all who wait, within a second; the store's own writes are no news."""
    await store.accept(event(due_at=NOW + 600))
    noticed = []

    async def wait() -> None:
        await store.changed()
        noticed.append(wall_time_s() - NOW)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.sleep(10)
        await store.accept(event("id-2"))
        [held] = await store.due("orders", NOW + 10, 1)
        await store.end(held, success(), ())
        await anyio.sleep(10)
        assert noticed == []
        retried(store, "id-1")

    assert len(noticed) == 2 and all(20 <= at <= 21 for at in noticed)
