"""Event buses at work: who gets what, when, how often, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import anyio
import orjson
import pytest

from eventmap.delivery.bus.dispatch import TAKEN_AT_ONCE, UNDER_WAY_LIMIT
from eventmap.errors import (
    AccessRefused,
    BusRefusal,
    ConfigurationError,
    QueueNotFound,
    SourceError,
    StateError,
    TransientSourceError,
)
from eventmap.event_rule import EventRule
from eventmap.rules.bus.definitions import BusRule
from eventmap.rules.bus.delivery import HOP_LIMIT
from eventmap.rules.bus.event import BusEvent
from eventmap.rules.schedule.event import Origin, run_at, scheduled_event
from eventmap.state.buses_memory import MemoryBuses

from .scene import DEAD, FUNCTION, GONE, QUEUE, REGION, Scene, since_start

pytestmark = pytest.mark.virtual_time
DOWN = TransientSourceError("down", code="ServiceUnavailable")


async def test_src_40_42_47_targets_of_matching_rules_get_the_event() -> None:
    """Each of them, once; rules that do not match, or are disabled, get nothing."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.rule(FUNCTION, QUEUE)
        await scene.rule("arn:aws:sns:eu-west-1:123456789012:news", name="other", EventPattern='{"source":["x"]}')
        await scene.rule("arn:aws:sns:eu-west-1:123456789012:off", name="off", State="DISABLED")
        answer = await scene.put({"n": 1}, TraceHeader="Root=1-2-3")
        await engine.idle()

    assert answer["FailedEntryCount"] == 0
    assert scene.endpoints.keys() == {FUNCTION, QUEUE}
    (_, parcel), (_, message) = scene.endpoints[FUNCTION].parcels + scene.endpoints[QUEUE].parcels
    assert parcel.body == message.body
    assert orjson.loads(parcel.body)["id"] == answer["Entries"][0]["EventId"]  # type: ignore[index,call-overload]
    assert (parcel.trace_id, parcel.request_id != message.request_id) == ("Root=1-2-3", True)
    assert (engine.statistics.events, engine.statistics.matched, engine.statistics.delivered) == (1, 2, 2)


async def test_src_41_a_bad_entry_fails_alone_and_so_does_one_for_a_bus_that_is_not_there() -> None:
    """The others are taken, in their order."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        good = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
        elsewhere = {"EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/default"}
        here = {"EventBusName": REGION.bus_arn("default")}
        answer = await engine.put_events(
            [good | here, good | {"Detail": "x"}, good | {"EventBusName": "nope"}, good | elsewhere, good]
        )
        await engine.idle()

    entries = answer["Entries"]
    assert [entry.get("ErrorCode") for entry in entries] == [  # type: ignore[union-attr]
        None,
        "MalformedDetail",
        "ResourceNotFoundException",
        "ResourceNotFoundException",
        None,
    ]
    assert entries[2]["ErrorMessage"] == "Event bus nope does not exist."  # type: ignore[index,call-overload]
    assert answer["FailedEntryCount"] == engine.statistics.entries_refused == 3
    assert len(scene.endpoints[QUEUE].parcels) == 2


async def test_src_41_a_request_that_is_wrong_as_a_whole_takes_nothing() -> None:
    """Eleven entries, or none."""
    scene = Scene()
    async with scene.prepared() as engine:
        for count in (0, 11):
            with pytest.raises(BusRefusal, match="at 'entries' failed to satisfy constraint"):
                await engine.put_events([{"Source": "s", "DetailType": "d", "Detail": "{}"}] * count)

    assert engine.statistics.events == 0


async def test_what_cannot_be_kept_is_not_taken() -> None:
    """The sender is told; nobody gets it."""

    class Full(MemoryBuses):
        async def take(self, _taken: object) -> None:
            raise StateError("disk full")

    scene = Scene()
    scene.store = Full()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        with pytest.raises(StateError, match="disk full"):
            await scene.put({})
        await engine.idle()

    assert scene.endpoints[QUEUE].attempts == []


async def test_src_45_a_target_that_is_down_is_tried_again_with_exponential_waits() -> None:
    """1 s doubling to 10 minutes, shortened by up to a half, until it is up."""
    scene = Scene()
    scene.endpoints[QUEUE].answers = [DOWN] * 12
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await scene.put({})
        await engine.idle()

    attempts = scene.endpoints[QUEUE].attempts
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert len(waits) == 12
    for number, wait in enumerate(waits):
        top = min(600, 2**number)
        assert top / 2 - 0.01 <= wait <= top + 0.01
    assert len({round(wait / min(600, 2**number), 2) for number, wait in enumerate(waits)}) > 6  # of as many dice
    assert engine.statistics.retried == 12


async def test_src_45_46_attempts_exhausted_end_in_the_dead_letter_queue() -> None:
    """The event itself, with why and where as attributes."""
    scene = Scene()
    scene.endpoints[QUEUE].always = DOWN
    async with scene.running() as engine:
        arn = await scene.rule(
            {
                "Arn": QUEUE,
                "InputPath": "$.detail",
                "RetryPolicy": {"MaximumRetryAttempts": 3},
                "DeadLetterConfig": {"Arn": DEAD},
            }
        )
        await scene.put({"n": 1})
        await engine.idle()

    [(_, letter)] = scene.endpoints[DEAD].parcels
    assert len(scene.endpoints[QUEUE].attempts) == 4
    assert orjson.loads(letter.body)["detail"] == {"n": 1}
    assert orjson.loads(letter.body)["source"] == "shop"
    assert letter.attributes == {
        "RULE_ARN": ("String", arn),
        "TARGET_ARN": ("String", QUEUE),
        "ERROR_CODE": ("String", "ERROR_FROM_TARGET"),
        "ERROR_MESSAGE": ("String", "down"),
        "EXHAUSTED_RETRY_CONDITION": ("String", "MaximumRetryAttempts"),
        "RETRY_ATTEMPTS": ("String", "3"),
    }
    assert (engine.statistics.given_up, engine.statistics.dead_lettered, engine.statistics.dropped) == (1, 1, 0)


async def test_src_45_46_an_event_too_old_ends_in_the_dead_letter_queue() -> None:
    """As soon as the next attempt would be too late."""
    scene = Scene()
    scene.endpoints[QUEUE].always = DOWN
    async with scene.running() as engine:
        await scene.rule(
            {"Arn": QUEUE, "RetryPolicy": {"MaximumEventAgeInSeconds": 60}, "DeadLetterConfig": {"Arn": DEAD}}
        )
        await scene.put({})
        await engine.idle()

    [(at, letter)] = scene.endpoints[DEAD].parcels
    assert at < 60
    assert letter.attributes["EXHAUSTED_RETRY_CONDITION"] == ("String", "MaximumEventAgeInSeconds")
    assert int(letter.attributes["RETRY_ATTEMPTS"][1]) == len(scene.endpoints[QUEUE].attempts) - 1


async def test_src_45_an_event_that_became_too_old_while_nothing_ran_is_not_tried() -> None:
    """It goes where those go that are given up."""
    scene = Scene()
    async with scene.prepared():
        await scene.rule(
            {"Arn": QUEUE, "RetryPolicy": {"MaximumEventAgeInSeconds": 60}, "DeadLetterConfig": {"Arn": DEAD}}
        )
        await scene.put({})
    scene.restart()
    await anyio.sleep(60)
    async with scene.running() as engine:
        await engine.idle()

    [(_, letter)] = scene.endpoints[DEAD].parcels
    assert scene.endpoints[QUEUE].attempts == []
    assert letter.attributes["EXHAUSTED_RETRY_CONDITION"] == ("String", "MaximumEventAgeInSeconds")
    assert letter.attributes["RETRY_ATTEMPTS"] == ("String", "0")


async def test_src_45_by_default_a_target_is_tried_for_a_day_and_185_times() -> None:
    """Whichever ends first; without a dead-letter queue the event is dropped, and counted."""
    scene = Scene()
    scene.endpoints[QUEUE].always = DOWN
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await scene.put({})
        await engine.idle()

    attempts = scene.endpoints[QUEUE].attempts
    assert len(attempts) == 186 or attempts[-1] > 86_400 - 600
    assert 70_000 < attempts[-1] < 86_400
    assert (engine.statistics.given_up, engine.statistics.dropped) == (1, 1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AccessRefused("no", code="AccessDenied"), "NO_PERMISSIONS"),
        (QueueNotFound("orders", "here"), "NO_RESOURCE"),
        (SourceError("bad", code="InvalidParameterValue"), "ERROR_FROM_TARGET"),
        (ConfigurationError("no such ARN"), "INVALID_PARAMETER"),
    ],
)
async def test_src_45_46_what_is_of_no_use_is_not_tried_again(error: Exception, code: str) -> None:
    """A target that is missing or forbidden: one attempt, no retry condition."""
    scene = Scene()
    scene.endpoints[QUEUE].always = error  # type: ignore[assignment]
    async with scene.running() as engine:
        await scene.rule({"Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD}})
        await scene.put({})
        await engine.idle()

    [(_, letter)] = scene.endpoints[DEAD].parcels
    assert len(scene.endpoints[QUEUE].attempts) == 1
    assert letter.attributes["ERROR_CODE"] == ("String", code)
    assert letter.attributes["RETRY_ATTEMPTS"] == ("String", "0")
    assert "EXHAUSTED_RETRY_CONDITION" not in letter.attributes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TransientSourceError("slow down", code="ThrottlingException"), "THROTTLING"),
        (TransientSourceError("connection lost"), "CONNECTION_FAILURE"),
        (StateError("disk full"), "INTERNAL_ERROR"),
        (RuntimeError("a defect"), "INTERNAL_ERROR"),
    ],
)
async def test_src_45_46_what_may_pass_is_tried_again_and_named(error: Exception, code: str) -> None:
    """In the words of EventBridge's dead letters."""
    scene = Scene()
    scene.endpoints[QUEUE].always = error  # type: ignore[assignment]
    async with scene.running() as engine:
        policy = {"MaximumRetryAttempts": 1}
        await scene.rule({"Arn": QUEUE, "RetryPolicy": policy, "DeadLetterConfig": {"Arn": DEAD}})
        await scene.put({})
        await engine.idle()

    [(_, letter)] = scene.endpoints[DEAD].parcels
    assert len(scene.endpoints[QUEUE].attempts) == 2
    assert letter.attributes["ERROR_CODE"] == ("String", code)


async def test_src_45_a_target_that_is_not_there_and_a_template_that_makes_no_json() -> None:
    """NO_RESOURCE and INVALID_JSON, at once."""
    scene = Scene()
    async with scene.running() as engine:
        template = {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"a": "<a>"}'}
        dead = {"DeadLetterConfig": {"Arn": DEAD}}
        await scene.rule({"Arn": GONE, **dead}, {"Arn": QUEUE, "InputTransformer": template, **dead})
        await scene.put({"a": '"'})
        await engine.idle()

    assert scene.endpoints[QUEUE].attempts == []
    codes = {letter.attributes["ERROR_CODE"][1] for _, letter in scene.endpoints[DEAD].parcels}
    assert codes == {"NO_RESOURCE", "INVALID_JSON"}


async def test_a_dead_letter_queue_that_is_down_is_told_later() -> None:
    """Nothing is lost while there is hope; it does not count as another attempt at the target."""
    scene = Scene()
    scene.endpoints[QUEUE].always = AccessRefused("no", code="AccessDenied")
    scene.endpoints[DEAD].answers = [DOWN] * 9
    async with scene.running() as engine:
        await scene.rule({"Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD}})
        await scene.put({})
        await engine.idle()

    assert len(scene.endpoints[QUEUE].attempts) == 1
    assert len(scene.endpoints[DEAD].parcels) == 1
    assert (engine.statistics.given_up, engine.statistics.dead_lettered, engine.statistics.dropped) == (1, 1, 0)


@pytest.mark.parametrize("error", [DOWN, AccessRefused("no", code="AccessDenied")])
async def test_a_dead_letter_queue_that_never_takes_it_is_the_end(error: SourceError) -> None:
    """After a day, or at once if it is of no use; dropped, and counted."""
    scene = Scene()
    scene.endpoints[QUEUE].always = AccessRefused("no", code="AccessDenied")
    scene.endpoints[DEAD].always = error
    async with scene.running() as engine:
        await scene.rule({"Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD}})
        await scene.put({})
        await engine.idle()

    assert since_start() < 86_400
    assert (len(scene.endpoints[DEAD].attempts) == 1) == (error is not DOWN)
    assert (engine.statistics.dead_lettered, engine.statistics.dropped) == (0, 1)


async def test_what_is_owed_survives_the_process() -> None:
    """Before any attempt, between two, and when only the dead letter is owed; the same id each time."""
    scene = Scene()
    async with scene.prepared():
        await scene.rule(FUNCTION, {"Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD}})
        await scene.put({"n": 1})
    scene.restart()
    scene.endpoints[FUNCTION].answers = [DOWN]
    scene.endpoints[QUEUE].answers = [AccessRefused("no", code="AccessDenied")]
    scene.endpoints[DEAD].answers = [DOWN]
    async with scene.running():
        await anyio.sleep(0.1)
    assert scene.endpoints[FUNCTION].parcels == scene.endpoints[DEAD].parcels == []
    scene.restart()
    async with scene.running() as engine:
        await engine.idle()

    assert scene.endpoints[FUNCTION].details == scene.endpoints[DEAD].details == [{"n": 1}]
    assert len(scene.endpoints[QUEUE].attempts) == 1


async def test_a_kill_between_the_target_and_the_record_repeats_under_the_same_id() -> None:
    """At least once: the function knows the request id and does not run twice."""

    class Deaf(MemoryBuses):
        async def done(self, *_: object) -> None:
            await anyio.sleep_forever()

    scene = Scene()
    scene.store = Deaf()
    async with scene.running():
        await scene.rule(FUNCTION)
        await scene.put({})
        await anyio.sleep(1)
    scene.restart()
    async with scene.running() as engine:
        await engine.idle()

    first, second = [parcel.request_id for _, parcel in scene.endpoints[FUNCTION].parcels]
    assert first == second


async def test_a_store_that_fails_is_waited_for_and_said_so() -> None:
    """Its errors end nothing; `trouble` says that it stands still."""

    class Flaky(MemoryBuses):
        down = 3

        async def next_due(self, **without: object) -> float | None:
            if self.down:
                self.down -= 1
                raise StateError("disk full")
            return await super().next_due(**without)  # type: ignore[arg-type]

    scene = Scene()
    scene.store = Flaky()
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await anyio.sleep(0.1)
        assert engine.trouble is not None
        await scene.put({})
        await engine.idle()

    assert engine.trouble is None
    assert engine.statistics.store_errors == 3
    assert len(scene.endpoints[QUEUE].parcels) == 1


async def test_a_target_that_hangs_does_not_hold_up_the_others() -> None:
    """It has its share of attempts, which end by themselves."""
    scene = Scene()
    scene.endpoints[QUEUE].takes_s = 1_000
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await scene.rule(FUNCTION, name="f", EventPattern='{"source":["quick"]}')
        for _ in range(30):
            await scene.put(*range_of_details(10))
        await scene.put({}, Source="quick")
        await anyio.sleep(1)
        assert len(scene.endpoints[FUNCTION].parcels) == 1
        assert scene.endpoints[QUEUE].most_running < 2 * TAKEN_AT_ONCE < UNDER_WAY_LIMIT
        await anyio.sleep(35)
        assert engine.statistics.retried > 0


def range_of_details(count: int) -> list[object]:
    return [{"n": number} for number in range(count)]


async def test_drain_lets_attempts_end_and_begins_no_other() -> None:
    """What it leaves is owed, and delivered by the next process."""
    scene = Scene()
    scene.endpoints[QUEUE].takes_s = 5
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await scene.put({"n": 1})
        await anyio.sleep(1)
        assert await engine.drain(10) == 0
        assert await engine.drain(10) == 0
        await scene.put({"n": 2})
        await anyio.sleep(100)
        assert scene.endpoints[QUEUE].details == [{"n": 1}]
        assert await engine.owed()
    scene.restart()
    async with scene.running() as engine:
        await engine.idle()

    assert scene.endpoints[QUEUE].details == [{"n": 1}, {"n": 2}]


async def test_drain_says_what_it_left() -> None:
    """Attempts that do not end in time."""
    scene = Scene()
    scene.endpoints[QUEUE].takes_s = 20
    async with scene.running() as engine:
        await scene.rule(QUEUE)
        await scene.put({}, {})
        await anyio.sleep(1)
        assert await engine.drain(10) == 2


async def test_a_fifo_queue_gets_the_group() -> None:
    """SqsParameters.MessageGroupId."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.rule({"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g1"}}, QUEUE)
        await scene.put({})
        await engine.idle()

    assert scene.endpoints[f"{QUEUE}.fifo"].groups == ["g1"]
    assert scene.endpoints[QUEUE].groups == [None]


async def test_a_bus_here_takes_the_event_as_it_is() -> None:
    """With its id; the bus' own rules decide."""
    scene = Scene()
    async with scene.running() as engine:
        await scene.call("CreateEventBus", Name="b")
        await scene.rule(REGION.bus_arn("b"))
        await scene.rule(QUEUE, name="r2", bus="b", EventPattern='{"detail":{"n":[2]}}')
        await scene.put({"n": 1}, {"n": 2})
        await engine.idle()

    assert scene.endpoints[QUEUE].details == [{"n": 2}]
    assert scene.endpoints[QUEUE].documents[0]["source"] == "shop"
    assert (engine.statistics.events, engine.statistics.matched, engine.statistics.delivered) == (2, 3, 3)


async def test_buses_in_a_circle_end() -> None:
    """After a few rounds; and a bus here that is gone is a resource that is not there."""
    scene = Scene()
    async with scene.running() as engine:
        dead = {"DeadLetterConfig": {"Arn": DEAD}}
        await scene.rule({"Arn": REGION.bus_arn("default"), **dead}, {"Arn": REGION.bus_arn("nope"), **dead}, QUEUE)
        await scene.put({})
        await engine.idle()

    assert len(scene.endpoints[QUEUE].parcels) == HOP_LIMIT + 1
    codes = [letter.attributes["ERROR_CODE"][1] for _, letter in scene.endpoints[DEAD].parcels]
    assert sorted(set(codes)) == ["INVALID_PARAMETER", "NO_RESOURCE"]
    assert codes.count("INVALID_PARAMETER") == 1


async def test_a_bus_elsewhere_is_put_an_entry() -> None:
    """By the target that is opened for it."""
    scene = Scene()
    elsewhere = "arn:aws:events:us-east-1:123456789012:event-bus/b"
    async with scene.running() as engine:
        await scene.rule(elsewhere)
        await scene.put({"n": 1})
        await engine.idle()

    [entry] = scene.endpoints[elsewhere].documents
    assert (entry["EventBusName"], entry["Source"], entry["Detail"]) == (elsewhere, "shop", '{"n":1}')


async def test_rules_changed_while_it_runs_are_in_force_for_the_next_event() -> None:
    """Pattern, state, targets, removal."""
    scene = Scene()
    seen = []
    async with scene.running() as engine:

        async def count() -> None:
            before = len(scene.endpoints[QUEUE].parcels)
            await scene.put({"n": 1})
            await engine.idle()
            seen.append(len(scene.endpoints[QUEUE].parcels) - before)

        await count()
        await scene.rule(QUEUE)
        await count()
        await scene.call("PutRule", Name="r", EventPattern='{"source":["x"]}')
        await count()
        await scene.call("PutRule", Name="r", EventPattern='{"detail":{"n":[1]}}')
        await count()
        await scene.call("DisableRule", Name="r")
        await count()
        await scene.call("EnableRule", Name="r")
        await count()
        await scene.call("RemoveTargets", Rule="r", Ids=["t0"])
        await count()
        await scene.call("DeleteRule", Name="r")
        await count()

    assert seen == [0, 1, 0, 1, 0, 1, 0, 0]


async def test_definitions_survive_the_process() -> None:
    """All kinds of them, to the last member."""
    scene = Scene()
    async with scene.prepared() as engine:
        await scene.call("CreateEventBus", Name="b", Description="d", Tags=[{"Key": "k", "Value": "v"}])
        await scene.rule(
            {"Arn": QUEUE, "InputTransformer": {"InputPathsMap": {"a": "$.b"}, "InputTemplate": '"<a>"'}},
            FUNCTION,
            bus="b",
            Description="x",
        )
        await scene.call("CreateArchive", ArchiveName="a", EventSourceArn=REGION.bus_arn("b"), RetentionDays=3)
        await scene.call(
            "StartReplay",
            ReplayName="p",
            EventSourceArn=REGION.archive_arn("a"),
            EventStartTime=0,
            EventEndTime=1,
            Destination={"Arn": REGION.bus_arn("b"), "FilterArns": [REGION.rule_arn("b", "r")]},
        )
        before = engine.definitions
    scene.restart()
    async with scene.prepared() as engine:
        assert engine.definitions == before


async def test_rules_declared_in_code_replace_those_declared_before() -> None:
    """The others stay; a bus is made for one; a name that the API gave away is refused."""
    scene = Scene()

    def declared(name: str, bus: str = "default") -> BusRule:
        rule = EventRule(event_pattern={"source": ["shop"]}, function_name="orders", name=name, event_bus_name=bus)
        return BusRule(name=rule.rule_name, bus=bus, event_pattern=rule.pattern_text, targets=(rule.target(FUNCTION),))

    async with scene.running() as engine:
        await scene.rule(QUEUE, name="mine")
        await engine.change(lambda now_is, now: (now_is.with_managed([declared("a"), declared("b", "new")], now), None))
        with pytest.raises(BusRefusal, match="Rule a is managed by eventmap") as refused:
            await scene.call("DeleteRule", Name="a", Force=True)
        await engine.change(lambda now_is, now: (now_is.with_managed([declared("b", "new")], now), None))
        await scene.put({}, bus="new")
        await engine.idle()
        assert sorted(engine.definitions.rules) == [("default", "mine"), ("new", "b")]
        with pytest.raises(ConfigurationError, match="'mine' of event bus 'default' is there already"):
            await engine.change(lambda now_is, now: (now_is.with_managed([declared("mine")], now), None))

    assert refused.value.error_type == "ManagedRuleException"
    assert len(scene.endpoints[FUNCTION].parcels) == 1


async def test_src_78_a_scheduled_run_goes_to_the_targets_of_its_rule() -> None:
    """Whatever other rules would match; one that is disabled or gone is not run."""
    scene = Scene()
    run, origin = run_at("default/nightly", 1_767_225_600), Origin("nightly", "eu-west-1", "123456789012", False)
    async with scene.running() as engine:
        arn = await scene.rule(FUNCTION, name="nightly", ScheduleExpression="rate(1 day)")
        await scene.rule(QUEUE, name="all", EventPattern='{"source":["aws.events"]}')
        assert await engine.fire(arn, scheduled_event(run, origin))
        await engine.idle()
        await scene.call("DisableRule", Name="nightly")
        assert not await engine.fire(arn, scheduled_event(run, origin))
        assert not await engine.fire("arn:aws:events:eu-west-1:123456789012:rule/x", scheduled_event(run, origin))

    assert scene.endpoints[FUNCTION].documents == [orjson.loads(scheduled_event(run, origin))]
    assert scene.endpoints[QUEUE].parcels == []


async def test_src_31_what_a_service_publishes_is_matched_like_anything() -> None:
    """Though PutEvents refuses its source; on a bus that is not there it is refused."""
    scene = Scene()
    event = BusEvent(
        event_id="1",
        source="aws.s3",
        detail_type="Object Created",
        detail="{}",
        account="123456789012",
        region="eu-west-1",
        time="2026-01-01T00:00:00Z",
        ingested_at=0,
    )
    async with scene.running() as engine:
        await scene.rule(FUNCTION, EventPattern='{"source":["aws.s3"]}')
        await engine.publish(replace(event, ingested_at=1_767_225_600))
        with pytest.raises(BusRefusal, match="Event bus nope does not exist"):
            await engine.publish(event, "nope")
        await engine.idle()

    assert [document["source"] for document in scene.endpoints[FUNCTION].documents] == ["aws.s3"]
