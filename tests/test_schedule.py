from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.rules.schedule.event import run_at
from eventmap.schedule import Schedule, schedule_of

NOON = 1_767_268_800  # 2026-01-01T12:00:00Z


def schedule(expression: str = "rate(5 minutes)", **settings: Any) -> Schedule:
    return Schedule(schedule_expression=expression, function_name="clean_up", **settings)


def payload(of: Schedule, region: str = "eu-central-1") -> Any:
    return json.loads(of.payload(run_at(of.key, NOON), region=region, account_id="123456789012"))


def test_src_78_a_rule_in_utc_sends_the_scheduled_event() -> None:
    """SRC-78: its exact shape; `detail` is an object."""
    event = payload(schedule("cron(0 12 * * ? *)", name="nightly"))

    assert list(event) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-01-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/nightly"],
        "detail": {},
    }


def test_src_78_its_arn_is_in_the_regions_partition() -> None:
    """SRC-78: China's is another one."""
    assert payload(schedule(name="n"), "cn-north-1")["resources"] == [
        "arn:aws-cn:events:cn-north-1:123456789012:rule/n"
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule_expression_timezone": "Europe/Berlin"},
        {"start_date": "2026-01-01"},
        {"end_date": "2027-01-01"},
        {"flexible_time_window": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}},
        {"expression": "at(2026-01-01T12:00:00)"},
    ],
)
def test_src_83_with_features_of_scheduler_it_sends_schedulers_event(settings: dict[str, Any]) -> None:
    """SRC-83: the default notification, whose `detail` is text."""
    event = payload(schedule(name="nightly", **settings))

    assert event["source"] == "aws.scheduler"
    assert event["detail"] == "{}"
    assert event["resources"] == ["arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly"]


def test_powertools_reads_the_event() -> None:
    """Its data class and its model."""
    event = payload(schedule())

    assert EventBridgeEvent(event).source == EventBridgeModel.model_validate(event).source == "aws.events"
    assert EventBridgeEvent(event).detail_type == "Scheduled Event"


@pytest.mark.parametrize("value", [{"job": "clean"}, [1, None], "text", "{}", 7, False, {}])
def test_src_83_an_input_is_the_event(value: Any) -> None:
    """SRC-83: verbatim; text is text, not JSON."""
    assert payload(schedule(input=value)) == value


def test_src_83_context_attributes_are_replaced() -> None:
    """SRC-83: wherever they stand in its text, keys included; what only looks like one stays."""
    of = schedule(
        name="nightly",
        input={
            "arn": "<aws.scheduler.schedule-arn>",
            "<aws.scheduler.scheduled-time>": "at <aws.scheduler.scheduled-time>!",
            "id": "<aws.scheduler.execution-id>",
            "n": "<aws.scheduler.attempt-number>",
            "other": "<aws.scheduler.unknown> <aws.events.rule-name>",
        },
    )

    assert payload(of) == {
        "arn": "arn:aws:scheduler:eu-central-1:123456789012:schedule/default/nightly",
        "2026-01-01T12:00:00Z": "at 2026-01-01T12:00:00Z!",
        "id": run_at(of.key, NOON).event_id,
        "n": "1",
        "other": "<aws.scheduler.unknown> <aws.events.rule-name>",
    }


def test_a_run_has_one_request_id() -> None:
    """The same in every process; another for another time, schedule, function or expression."""
    keys = [
        schedule().key,
        schedule(name="a").key,
        schedule("rate(6 minutes)").key,
        Schedule(schedule_expression="rate(5 minutes)", function_name="other").key,
    ]
    ids = {run_at(key, time).request_id for key in keys for time in (NOON, NOON + 60)}

    assert len(ids) == 8
    assert run_at("a/b", NOON).request_id == "cf6d5974-bfbe-55fd-a003-db9a0edf76f4"


def test_the_name_is_stable_and_of_function_and_times() -> None:
    """A schedule without a name gets one that a later run of the program finds again."""
    assert schedule().schedule_name == schedule(input={"a": 1}, misfire="all").schedule_name == "clean_up-a2e6661e79ab"
    assert schedule(name="x").schedule_name == "x"
    assert schedule("rate(6 minutes)").schedule_name != schedule().schedule_name
    assert len(Schedule(schedule_expression="rate(1 day)", function_name="f" * 64).schedule_name) == 64


def test_the_position_is_kept_unless_the_times_change() -> None:
    """A new expression, zone, function or start of a rate begins anew; an end, a window, an input do not."""
    kept = schedule(name="x").key

    assert kept == schedule(name="x", input=1, end_date="2030-01-01", misfire="skip").key
    assert kept != schedule(name="x", start_date="2030-01-01").key
    assert kept != schedule(name="x", schedule_expression_timezone="Europe/Berlin").key
    nightly = schedule("cron(0 2 * * ? *)", name="x").key
    assert nightly == schedule("cron(0 2 * * ? *)", name="x", start_date="2030-01-01").key


@pytest.mark.parametrize(
    ("given", "epoch_s"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01T13:00:00+01:00", NOON),
        ("2026-01-01 12:00:00.900", NOON),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), NOON),
    ],
)
def test_src_80_start_and_end_are_instants(given: Any, epoch_s: int) -> None:
    """SRC-80: text or datetimes, in UTC where they have no offset."""
    assert schedule(start_date=given).timetable.start == epoch_s
    assert schedule(end_date=given).timetable.end == epoch_s


def test_src_80_without_an_offset_an_instant_is_in_utc_whatever_the_machines_zone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SRC-80: as AWS says of both dates."""
    try:
        with monkeypatch.context() as there:
            there.setenv("TZ", "America/New_York")
            time.tzset()
            assert schedule(start_date="2026-01-01T12:00:00").timetable.start == NOON
    finally:
        time.tzset()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"expression": "cron(0 0 31 2 ? *)"}, r"Parameter ScheduleExpression is not valid\. .* impossible"),
        ({"expression": "rate(1 minutes)"}, r"the unit of 1 is minute"),
        ({"schedule_expression_timezone": "Mars/Olympus"}, "Invalid Schedule Expression Timezone 'Mars/Olympus'"),
        ({"name": "no spaces"}, "name must be 1 to 64"),
        ({"name": ""}, "name must be 1 to 64"),
        ({"name": "x" * 65}, "name must be 1 to 64"),
        ({"start_date": "soon"}, "startDate must be a time"),
        ({"end_date": 5}, "endDate must be a time"),
        ({"start_date": "2026-01-02", "end_date": "2026-01-01"}, "StartDate you specify must come before the EndDate"),
        ({"flexible_time_window": {}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": {"Mode": "OFF", "MaximumWindowInMinutes": 5}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": {"Mode": "FLEXIBLE"}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 0}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": True}}, "flexibleTimeWindow must be"),
        ({"flexible_time_window": "OFF"}, "flexibleTimeWindow must be"),
        ({"input": {1, 2}}, "input must be a JSON value"),
        ({"input": "x" * 262_143}, "262144 are allowed"),
        ({"enabled": "yes"}, "enabled must be true or false"),
        ({"misfire": "never"}, "misfire may be once, all, skip"),
        ({"expression": "at(2026-03-29T02:30:00)", "schedule_expression_timezone": "Europe/Berlin"}, "impossible"),
    ],
)
def test_src_80_81_82_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    """SRC-80..82: at the declaration, in one line."""
    with pytest.raises(InvalidParameterValue, match=message):
        schedule(**settings)


def test_a_function_must_be_named() -> None:
    """Whose schedule it is."""
    with pytest.raises(ConfigurationError, match="functionName must name a function"):
        Schedule(schedule_expression="rate(1 day)", function_name="")


def test_src_81_a_window_may_be_off_in_words() -> None:
    """SRC-81: as AWS demands it of every schedule."""
    assert schedule(flexible_time_window={"Mode": "OFF"}).timetable.window_s == 0
    assert not schedule(flexible_time_window={"Mode": "OFF"}).of_scheduler


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("retry_policy", "retry_policy is not honoured, so it is refused: .*maximum_retry_attempts"),
        ("state", "write it as enabled"),
        ("dead_letter_config", "give it a dead_letter_config"),
        ("group_name", "no groups"),
        ("expression", "is not a setting of a schedule; known are enabled, end_date, .*start_date"),
        ("timetable", "is not a setting of a schedule"),
    ],
)
def test_src_82_84_settings_that_are_not_honoured_are_refused(name: str, message: str) -> None:
    """SRC-82, 84: none is ignored."""
    with pytest.raises(InvalidParameterValue, match=message):
        schedule_of({"schedule_expression": "rate(1 day)", "function_name": "f", name: "x"})


def test_named_settings_make_a_schedule() -> None:
    """As a decorator or a file has them."""
    settings = {"schedule_expression": "rate(5 minutes)", "function_name": "clean_up", "misfire": "all"}

    assert schedule_of(settings) == schedule(misfire="all")
