"""A function's versions, aliases and event invoke configs, as a value (INV-15, 45, 67)."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.errors import InvalidParameterValue
from eventmap.function import EventInvokeConfig, Function

NOWHERE = {"OnFailure": {"Destination": "x"}}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:{}"


def function(version: str = "$LATEST", **settings: Any) -> Function:
    return Function(**{"handler": "app:handler", "function_name": "work", "version": version, **settings})


def test_inv_15_what_a_qualifier_names() -> None:
    """INV-15: an alias its version, a version itself, nothing and `$LATEST` the function as it is now."""
    one = function("1", timeout=9)
    latest = function(versions={"1": one}, aliases={"live": "1", "beta": "$LATEST"})

    assert [latest.runs(name) for name in ("", "$LATEST", "beta", "live", "1")] == [latest, latest, latest, one, one]
    assert latest.runs("2") is None
    assert latest.qualifiers == ("live", "beta", "1")
    plain = function(aliases=["live"])
    assert (plain.runs("live"), plain.runs("1"), plain.qualifiers) == (plain, None, ("live",))


def test_inv_45_67_what_holds_for_the_events_of_a_qualifier() -> None:
    """INV-45, 67: its own config, and where it has none that of the function."""
    plain = function(
        aliases=["live", "beta"],
        maximum_retry_attempts=1,
        maximum_event_age_in_seconds=60,
        destination_config={"OnSuccess": {"Destination": QUEUE.format("done")}},
    )
    config = plain.event_invoke_config("beta")
    assert (config.maximum_retry_attempts, config.maximum_event_age_in_seconds) == (1, 60)
    assert (config.on_success, config.on_failure) == (QUEUE.format("done"), None)
    own = EventInvokeConfig(destination_config={"OnFailure": {"Destination": QUEUE.format("lost")}})
    both = function(aliases=["live"], event_invoke_configs={"live": own, "$LATEST": own})
    assert both.event_invoke_config("live") is both.event_invoke_config("") is own


def test_inv_67_all_that_events_may_end_at() -> None:
    """INV-67: of every qualifier and version."""
    config = {
        "OnSuccess": {"Destination": QUEUE.format("done")},
        "OnFailure": {"Destination": QUEUE.format("failed")},
    }
    one = function("1", dead_letter_config={"TargetArn": QUEUE.format("old")})
    whole = function(
        versions={"1": one},
        event_invoke_configs={"1": EventInvokeConfig(destination_config=config)},
        destination_config={"OnFailure": {"Destination": QUEUE.format("own")}},
        dead_letter_config={"TargetArn": QUEUE.format("dead")},
    )

    assert whole.target_arns == {QUEUE.format(name) for name in ("done", "failed", "old", "own", "dead")}
    assert function().target_arns == frozenset()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"aliases": {"live": "1"}}, "alias 'live' of 'work' names a version it has not"),
        ({"versions": {"1": function("2")}}, "version 1 of 'work' is no such"),
        ({"versions": {"1": function("1", function_name="other")}}, "version 1 of 'work' is no such"),
        ({"versions": {"1": function("1", versions={"2": function("2")})}}, "version 1 of 'work' is no such"),
        ({"versions": {"$LATEST": function()}}, "a version is a number"),
        ({"event_invoke_configs": {"live": EventInvokeConfig()}}, "'work' has no alias or version 'live'"),
        (
            {
                "event_invoke_configs": {
                    "$LATEST": EventInvokeConfig(destination_config={"OnFailure": {"Destination": "x"}})
                }
            },
            "The destination ARN x is invalid.",
        ),
        ({"code_folder": "/x"}, 'use isolation="process"'),
        ({"code_folder": "/x", "isolation": "process", "handler": print}, "name the handler as module:attribute"),
    ],
    ids=lambda each: str(each)[:50],
)
def test_what_is_at_odds_is_refused(settings: dict[str, Any], says: str) -> None:
    """Before anything runs."""
    with pytest.raises(InvalidParameterValue) as refused:
        function(**settings)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "settings", [{"maximum_retry_attempts": 3}, {"maximum_event_age_in_seconds": 59}, {"maximum_retry_attempts": True}]
)
def test_inv_41_44_the_ranges_of_an_event_invoke_config(settings: dict[str, Any]) -> None:
    """INV-41, 44: as those of a function."""
    with pytest.raises(InvalidParameterValue):
        EventInvokeConfig(**settings)
