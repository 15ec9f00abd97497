"""Tumbling windows: a state that is handed on, and a last invocation for each."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap.clock import wall_time_s
from eventmap.rules.window import STATE_LIMIT_BYTES
from eventmap.testing import MemoryKinesis
from eventmap.testing.memory_leases import MemoryLeaseTable

from .scene import (
    REPORTS,
    STREAM,
    Destination,
    Handler,
    Invocation,
    batch_info,
    checkpoints,
    crashing,
    dynamodb,
    failures,
    kinesis,
    put,
    sequence_of,
    statistics,
    text_of,
    working,
)

pytestmark = pytest.mark.virtual_time
both = pytest.mark.parametrize("make", [kinesis, dynamodb])


class Summing(Handler):
    """Collects the texts of a window in its state; `refuse(invocation)` may raise, or answer something else."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(seconds)
        self.results: list[list[str]] = []  #: of each window, as its final invocation saw it

    async def __call__(self, event: dict[str, Any], context: Any) -> object:
        await super().__call__(event, context)
        collected = [*event["state"].get("texts", []), *map(text_of, event["Records"])]
        refused = self.refuse(self.invocations[-1])
        if refused is not None:
            return refused
        if event["isFinalInvokeForWindow"]:
            self.results.append(collected)
        return {"state": {"texts": collected}}

    def refuse(self, invocation: Invocation) -> object:
        return None


def shape(handler: Handler) -> list[tuple[list[str], bool]]:
    """(texts, whether it was the window's last) of each invocation."""
    return [(each.texts, each.event["isFinalInvokeForWindow"]) for each in handler.invocations]


@both
async def test_str_80_82_83_a_window_hands_its_state_on_and_ends(make: Any) -> None:
    """STR-80, 82, 83: {} at first, then what was answered; a final invocation without records; then {} again."""
    api = make()
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=60):
        await anyio.sleep(1)
        put(api, "a")
        await anyio.sleep(20)
        put(api, "b")
        await anyio.sleep(60)
        put(api, "c")
        await anyio.sleep(60)

    assert shape(handler) == [(["a"], False), (["b"], False), ([], True), (["c"], False), ([], True)]
    assert handler.results == [["a", "b"], ["c"]]
    first, _, last = handler.invocations[:3]
    assert first.event["state"] == {} == handler.invocations[3].event["state"]
    assert (
        first.event["window"]
        == last.event["window"]
        == {
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-01T00:01:00Z",
        }
    )
    assert set(first.event) == {
        "Records",
        "window",
        "state",
        "shardId",
        "eventSourceARN",
        "isFinalInvokeForWindow",
        "isWindowTerminatedEarly",
    }
    assert first.event["shardId"] == api.open_shards(STREAM)[0]
    assert first.event["isWindowTerminatedEarly"] is False


@both
async def test_str_89_a_later_record_ends_the_window_at_once(make: Any) -> None:
    """STR-89: in one read there are records of three windows."""
    api = make()
    for number in range(3):
        put(api, f"{number}a", f"{number}b")
        await anyio.sleep(60)
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=60):
        await anyio.sleep(3)

    assert handler.results == [["0a", "0b"], ["1a", "1b"], ["2a", "2b"]]
    assert len(handler.invocations) == 6


@both
async def test_str_89_an_idle_window_ends_once_the_shard_was_read_past_it(make: Any) -> None:
    """STR-89: soon after its end, without another record; and not before it."""
    api = make()
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=60):
        await anyio.sleep(1)
        put(api, "a")
        await anyio.sleep(58)
        assert handler.results == []
        await anyio.sleep(5)
        assert handler.results == [["a"]]
        await anyio.sleep(200)

    assert len(handler.invocations) == 2  # an empty window has no invocation


async def test_str_89_a_window_does_not_end_before_its_last_record_was_read() -> None:
    """STR-89: a reader that is far behind the tip judges by the records, not by the clock."""
    api = kinesis(page_limit=1)
    for number in range(20):
        put(api, str(number))
        await anyio.sleep(0.1)
    await anyio.sleep(300)
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=60, batch_size=1):
        await anyio.sleep(60)

    assert handler.results == [[str(number) for number in range(20)]]


@both
async def test_str_81_an_answer_without_state_is_a_failure(make: Any) -> None:
    """STR-81: the batch is retried with the state it had, and counts."""
    api, reports = make(), Destination()
    put(api, "a")

    class Forgetful(Summing):
        def refuse(self, invocation: Invocation) -> object:
            return {"done": True} if invocation.records else None

    handler = Forgetful()
    async with working(api, handler, reports=reports, tumbling_window_in_seconds=60, maximum_retry_attempts=1):
        await anyio.sleep(30)

    assert shape(handler) == [(["a"], False)] * 2
    assert reports.conditions == [("RetryAttemptsExhausted", 2, 1)]


async def test_str_81_83_a_final_answer_without_state_is_a_failure_too() -> None:
    """STR-81, 83: its state is dropped, and asked for all the same: without it a handler stands still on AWS, too."""
    api = kinesis()
    put(api, "a")

    class Forgetful(Summing):
        def refuse(self, invocation: Invocation) -> object:
            return {"done": True} if invocation.event["isFinalInvokeForWindow"] and invocation.at < 100 else None

    handler = Forgetful()
    async with working(api, handler, tumbling_window_in_seconds=60):
        await anyio.sleep(300)

    assert len([each for each in handler.invocations if each.event["isFinalInvokeForWindow"]]) > 2
    assert handler.results == [["a"]]


@both
async def test_str_83_a_failed_final_invocation_blocks_until_it_succeeds(make: Any) -> None:
    """STR-83: retried with the same state; the next window waits for it; the checkpoint moves on after it."""
    api, leases = make(), MemoryLeaseTable()
    put(api, "a")

    class Stubborn(Summing):
        def refuse(self, invocation: Invocation) -> object:
            if invocation.event["isFinalInvokeForWindow"] and invocation.at < 100:
                raise ValueError("boom")
            return None

    handler = Stubborn()
    async with working(api, handler, store=leases.store_for("a"), tumbling_window_in_seconds=60):
        await anyio.sleep(61)
        [last] = put(api, "b")
        await anyio.sleep(150)

    finals = [each for each in handler.invocations if each.event["isFinalInvokeForWindow"]]
    assert len(finals) >= 5
    assert handler.results == [["a"], ["b"]]
    assert {str(each.event["state"]) for each in finals[:-1]} == {"{'texts': ['a']}"}
    assert checkpoints(leases) == [last]


async def test_str_83_102a_with_a_limit_a_final_invocation_is_given_up_and_reported() -> None:
    """STR-102a: the report has the window, and of its batch only shard and stream; the next window starts with {}."""
    api, reports = kinesis(), Destination()
    put(api, "a")

    class Broken(Summing):
        def refuse(self, invocation: Invocation) -> object:
            if invocation.event["isFinalInvokeForWindow"] and "a" in str(invocation.event["state"]):
                raise ValueError("boom")
            return None

    handler = Broken()
    async with working(api, handler, reports=reports, tumbling_window_in_seconds=60, maximum_retry_attempts=1):
        await anyio.sleep(70)
        put(api, "b")
        await anyio.sleep(100)

    assert handler.results == [["b"]]
    [given_up] = reports.reports
    assert set(batch_info(given_up)) == {"shardId", "streamArn"}
    assert given_up["timeWindowInfo"] == {
        "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z"},
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


@both
async def test_str_84_a_state_that_grows_too_large_ends_the_window_early(make: Any) -> None:
    """STR-84: one invocation without records, final and early, with all of the state; then it goes on with {}."""
    api = make()

    class Growing(Summing):
        def refuse(self, invocation: Invocation) -> object:
            return {"state": {"x": "y" * STATE_LIMIT_BYTES}} if "big" in invocation.texts else None

    handler = Growing()
    async with working(api, handler, tumbling_window_in_seconds=60):
        await anyio.sleep(1)
        put(api, "big")
        await anyio.sleep(10)
        put(api, "after")
        await anyio.sleep(60)

    assert shape(handler) == [(["big"], False), ([], True), (["after"], False), ([], True)]
    _, early, after, final = handler.invocations
    assert [each.event["isWindowTerminatedEarly"] for each in handler.invocations] == [False, True, False, False]
    assert len(early.event["state"]["x"]) == STATE_LIMIT_BYTES
    assert after.event["state"] == {}
    assert early.event["window"] == after.event["window"] == final.event["window"]


async def test_str_84_202_a_state_that_was_saved_too_large_ends_its_window_first() -> None:
    """STR-84: a crash between the answer and the early end does not hand the oversized state on."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, "big")
    await anyio.sleep(1)
    put(api, "after")

    class Growing(Summing):
        def refuse(self, invocation: Invocation) -> object:
            return {"state": {"x": "y" * STATE_LIMIT_BYTES}} if "big" in invocation.texts else None

    class Hanging(Growing):
        async def __call__(self, event: dict[str, Any], context: Any) -> object:
            if event["isWindowTerminatedEarly"]:
                await anyio.sleep(100)
            return await super().__call__(event, context)

    crashed, handler = Hanging(), Growing()
    settings = {"tumbling_window_in_seconds": 600, "batch_size": 1, "timeout": 200}
    async with crashing(api, crashed, leases=leases, **settings):
        await anyio.sleep(5)
    async with working(api, handler, store=leases.store_for("b"), **settings):
        await anyio.sleep(30)

    assert shape(crashed) == [(["big"], False)]
    assert shape(handler) == [([], True), (["after"], False)]
    assert handler.invocations[1].event["state"] == {}


@both
async def test_str_85_86_a_late_record_joins_the_window_that_is_open(make: Any) -> None:
    """STR-85, 86: arrival times may run backwards; the record is not lost and no closed window is opened again."""
    api = make()
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=10):
        await anyio.sleep(9)
        put(api, "a")
        await anyio.sleep(3)
        put(api, "b")
        if isinstance(api, MemoryKinesis):
            [shard] = api.open_shards(STREAM)
            api.records(STREAM, shard)[1]["ApproximateArrivalTimestamp"] -= 5
        await anyio.sleep(30)

    assert sorted(text for result in handler.results for text in result) == ["a", "b"]


@both
async def test_str_87_the_end_of_a_shard_ends_its_window(make: Any) -> None:
    """STR-87, 89: the child begins its own, with {}."""
    api = make()
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=600):
        await anyio.sleep(1)
        put(api, "parent")
        await anyio.sleep(5)
        if isinstance(api, MemoryKinesis):
            api.split_shard(STREAM, api.open_shards(STREAM)[0])
        else:
            api.roll(STREAM)
        put(api, "child")
        await anyio.sleep(20)

    assert shape(handler) == [(["parent"], False), ([], True), (["child"], False)]
    assert handler.results == [["parent"]]
    assert handler.invocations[2].event["state"] == {}
    assert handler.invocations[2].event["shardId"] != handler.invocations[0].event["shardId"]


@both
async def test_str_201_202_a_window_is_resumed_after_a_crash(make: Any) -> None:
    """STR-201, 202: state and checkpoint were saved together, so nothing of the window is counted twice or missing."""
    api, leases = make(), MemoryLeaseTable()
    before, after = Summing(), Summing()
    put(api, "a", "b")

    async with crashing(api, before, leases=leases, tumbling_window_in_seconds=300):
        await anyio.sleep(5)
        put(api, "c")
        await anyio.sleep(5)
    put(api, "d")
    async with working(api, after, store=leases.store_for("b"), tumbling_window_in_seconds=300):
        await anyio.sleep(400)

    assert (before.texts, before.results) == (["a", "b", "c"], [])
    assert shape(after) == [(["d"], False), ([], True)]
    assert after.results == [["a", "b", "c", "d"]]


async def test_str_202_a_window_that_ended_is_not_resumed() -> None:
    """STR-202: after the final invocation nothing of it is kept, also when nothing came after it."""
    api, leases = kinesis(), MemoryLeaseTable()
    put(api, "a")
    handlers = [Summing(), Summing()]

    async with crashing(api, handlers[0], leases=leases, tumbling_window_in_seconds=60):
        await anyio.sleep(70)
    put(api, "b")
    async with working(api, handlers[1], store=leases.store_for("b"), tumbling_window_in_seconds=60):
        await anyio.sleep(100)

    assert [handler.results for handler in handlers] == [[["a"]], [["b"]]]
    assert all(lease.window is None for lease in leases.leases.values())


@both
async def test_str_72_54_state_and_item_failures_come_in_one_answer(make: Any) -> None:
    """STR-54, 72: what is done is done, its state goes on to the rest."""
    api = make()
    put(api, "a", "b", "c")

    class Halting(Summing):
        def refuse(self, invocation: Invocation) -> object:
            if invocation.texts != ["a", "b", "c"]:
                return None
            return {"state": {"texts": ["a"]}, **failures([sequence_of(invocation.records[1])])}

    handler = Halting()
    async with working(api, handler, tumbling_window_in_seconds=60, **REPORTS):
        await anyio.sleep(70)

    assert shape(handler) == [(["a", "b", "c"], False), (["b", "c"], False), ([], True)]
    assert handler.results == [["a", "b", "c"]]


async def test_str_50_86_the_parts_of_a_split_batch_hand_the_state_on() -> None:
    """STR-50, 86: first part, second part, each with the state of the one before."""
    api = kinesis()
    put(api, "a", "b", "c", "d")

    class Once(Summing):
        def refuse(self, invocation: Invocation) -> object:
            if len(self.invocations) == 1:
                raise ValueError("boom")
            return None

    handler = Once()
    async with working(api, handler, tumbling_window_in_seconds=60, bisect_batch_on_function_error=True):
        await anyio.sleep(70)

    assert [each.texts for each in handler.invocations] == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], []]
    assert handler.results == [["a", "b", "c", "d"]]


async def test_str_25_84_records_and_state_share_the_six_mebibytes() -> None:
    """STR-25: a large state leaves less room, and no batch becomes an event that nobody takes."""
    api, reports = kinesis(shard_limit_calls_per_s=None), Destination()
    put(api, "seed")
    handler = Handler()

    async def handle(event: dict[str, Any], context: Any) -> object:
        await handler(event, context)
        return {"state": {"x": "y" * 900_000}}

    async with working(
        api, handle, reports=reports, tumbling_window_in_seconds=600, maximum_retry_attempts=0
    ) as service:
        await anyio.sleep(5)
        put(api, *["z" * 500_000 + str(number) for number in range(16)], key="k")
        await anyio.sleep(30)
        assert statistics(service).done == 17

    assert reports.reports == []
    assert [len(each.records) for each in handler.invocations] == [1, 8, 8]


async def test_str_85_a_window_ends_by_the_streams_time() -> None:
    """STR-85: windows are aligned to the epoch, not to the first record."""
    api = kinesis()
    handler = Summing()

    async with working(api, handler, tumbling_window_in_seconds=100):
        await anyio.sleep(95)
        put(api, "a")
        await anyio.sleep(20)

    start = wall_time_s() - 115
    assert start % 100 == 0
    assert handler.results == [["a"]]
