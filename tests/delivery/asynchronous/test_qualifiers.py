"""Asynchronous events go by what holds for the qualifier they were addressed to (INV-44, 45, 64a, 67)."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from eventmap.delivery.asynchronous.ends import Ends
from eventmap.function import EventInvokeConfig, Function
from eventmap.model import FunctionError, Returned
from eventmap.queued_event import EventEnd, QueuedEvent
from eventmap.rules.asynchronous import Again, Ended, before_attempt, is_gone, next_step
from eventmap.testing import MemoryTarget
from eventmap.testing.virtual_time import START_WALL_TIME_S

pytestmark = pytest.mark.virtual_time

ARN = "arn:aws:lambda:us-east-1:123456789012:function:work"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:{}"
NOW = START_WALL_TIME_S
FAILED = FunctionError(b'{"errorMessage":"boom","errorType":"ValueError"}', "ValueError")


def to(name: str) -> dict[str, dict[str, str]]:
    """OnSuccess and OnFailure of that name."""
    return {outcome: {"Destination": QUEUE.format(f"{name}-{outcome}")} for outcome in ("OnSuccess", "OnFailure")}


ONE = Function(
    handler="app:handler",
    function_name="work",
    version="1",
    dead_letter_config={"TargetArn": QUEUE.format("dead-of-1")},
)
FUNCTION = Function(
    handler="app:handler",
    function_name="work",
    versions={"1": ONE},
    aliases={"live": "1", "beta": "$LATEST"},
    event_invoke_configs={
        "live": EventInvokeConfig(
            maximum_retry_attempts=0, maximum_event_age_in_seconds=60, destination_config=to("live")
        )
    },
    destination_config=to("own"),
    dead_letter_config={"TargetArn": QUEUE.format("dead")},
)


def event(qualifier: str) -> QueuedEvent:
    return QueuedEvent(
        request_id="id", function_name="work", payload=b"{}", accepted_at=NOW, due_at=NOW, qualifier=qualifier
    )


def test_inv_44_45_67_age_and_retries_are_those_of_the_qualifier() -> None:
    """INV-41, 44, 45, 67: `live` is never tried again and old after a minute; others have the function's."""
    assert isinstance(next_step(FUNCTION, event("live"), FAILED, NOW, 0), Ended)
    assert isinstance(before_attempt(FUNCTION, event("live"), NOW + 60), Ended)
    for other in ("", "$LATEST", "1", "beta"):
        assert isinstance(next_step(FUNCTION, event(other), FAILED, NOW, 0), Again)
        assert before_attempt(FUNCTION, event(other), NOW + 60) is None
    lenient = replace(FUNCTION, maximum_retry_attempts=0, event_invoke_configs={"1": EventInvokeConfig()})
    assert isinstance(next_step(lenient, event("1"), FAILED, NOW, 0), Again)


def test_inv_64a_each_attempt_looks_the_qualifier_up() -> None:
    """INV-64a: an alias that moved, a version that went."""
    assert not is_gone(FUNCTION, event("1"))
    assert is_gone(FUNCTION, event("2"))
    assert is_gone(replace(FUNCTION, aliases={}, event_invoke_configs={}), event("live"))


@pytest.mark.parametrize(("qualifier", "version"), [("", "$LATEST"), ("1", "1"), ("live", "1"), ("beta", "$LATEST")])
def test_inv_49_60_the_end_says_which_version_ran(qualifier: str, version: str) -> None:
    """INV-49, 60: in the record of a success and of a failure."""
    never = replace(FUNCTION, maximum_retry_attempts=0)
    for response in (Returned(b"1"), FAILED):
        step = next_step(never, event(qualifier), response, NOW, 0)
        assert isinstance(step, Ended)
        assert step.end.executed_version == version


@pytest.mark.parametrize(
    ("qualifier", "record", "dead_letters"),
    [("live", "live", "dead-of-1"), ("1", "own", "dead-of-1"), ("beta", "own", "dead"), ("", "own", "dead")],
)
async def test_inv_67_records_go_by_the_qualifier(qualifier: str, record: str, dead_letters: str) -> None:
    """INV-67: records by the config of the qualifier, dead letters by the version whose code ran."""
    targets = {arn: MemoryTarget() for arn in FUNCTION.target_arns}
    ends = Ends(FUNCTION, ARN, targets)
    failure = EventEnd(condition="RetriesExhausted", ended_at=NOW, invoke_count=1, response=FAILED.payload)
    await ends.deliver(event(qualifier), failure)
    told = {arn for arn, target in targets.items() if target.parcels}
    assert told == {QUEUE.format(f"{record}-OnFailure"), QUEUE.format(dead_letters)}

    success = EventEnd(condition="Success", ended_at=NOW, invoke_count=1, response=b"1", executed_version="7")
    await ends.deliver(event(qualifier), success)
    (parcel,) = targets[QUEUE.format(f"{record}-OnSuccess")].parcels
    assert orjson.loads(parcel.body)["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
