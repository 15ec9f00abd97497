"""Each source's events are told by what they must have, and by nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.rules.events import KINDS, kind_of
from eventmap.testing.events.samples import sample

NAMES = [kind.name for kind in KINDS]


@pytest.mark.parametrize("name", NAMES)
def test_src_01_to_16_each_kind_is_told_by_its_members(name: str) -> None:
    """SRC-01..16."""
    assert kind_of(sample(name)) == name


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"Records": [{"eventSource": "aws:sqs"}]}, "sqs"),
        ({"Records": [{"EventSource": "aws:sns"}]}, "sns"),
        ({"Records": [{"eventSource": "aws:sns"}]}, None),
        ({"Records": [{"EventSource": "aws:sqs"}]}, None),
        ({"Records": [{"eventSource": "aws:dynamodb"}]}, "dynamodb"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "kinesis"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "s3"),
        ({"Records": [{"eventSource": "aws:other"}, {"eventSource": "aws:s3"}]}, None),
        ({"Records": []}, None),
        ({"Records": ["aws:sqs"]}, None),
        ({"Records": {"0": {"eventSource": "aws:sqs"}}}, None),
        ({"Event": "s3:TestEvent", "Service": "Amazon S3"}, "s3-test"),
        ({"Event": "s3:TestEvent"}, None),
        ({"source": "a", "detail-type": "b", "detail": {}}, "event-bridge"),
        ({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}, "schedule"),
        ({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}, "schedule"),
        ({"source": "mine", "detail-type": "Scheduled Event", "detail": {}}, "event-bridge"),
        ({"source": "a", "detail-type": "b"}, None),
        ({"requestContext": {"elb": {}}, "httpMethod": "GET"}, "alb"),
        ({"version": "2.0", "requestContext": {"http": {}, "domainName": "x.execute-api.y"}}, "http-v2"),
        ({"version": "2.0", "requestContext": {"http": {}}}, "http-v2"),
        ({"version": "2.0", "requestContext": {"http": {}, "domainName": "x.lambda-url.y.on.aws"}}, "function-url"),
        ({"version": "1.0", "requestContext": {"http": {}, "domainName": "x.lambda-url.y.on.aws"}}, None),
        ({"version": "1.0", "requestContext": {}, "httpMethod": "GET", "resource": "/"}, "http-v1"),
        ({"requestContext": {}, "httpMethod": "GET", "resource": "/"}, "http-v1"),
        ({"requestContext": {}, "httpMethod": "GET"}, None),
        ({"requestContext": {"routeKey": "$connect", "connectionId": "1"}}, "websocket"),
        ({"requestContext": {"routeKey": "$connect"}}, None),
        ({"requestContext": {"connectionId": "1"}}, None),
        ({"triggerSource": "PreSignUp_SignUp", "userPoolId": "p"}, "cognito"),
        ({"triggerSource": "PreSignUp_SignUp"}, None),
        ({"awslogs": {"data": ""}}, "logs"),
        ({"awslogs": "data"}, None),
        ({"eventSource": "aws:kafka", "records": {}}, "kafka"),
        ({"eventSource": "aws:kafka"}, None),
        ({"eventSource": "SelfManagedKafka", "records": {}}, "self-managed-kafka"),
        ({"eventSource": "aws:amq"}, "active-mq"),
        ({"eventSource": "aws:rmq"}, "rabbit-mq"),
        ({"eventSource": "aws:docdb", "events": []}, "documentdb"),
        ({"eventSource": "aws:docdb"}, None),
    ],
)
def test_src_01_to_17_what_tells_a_kind_and_what_is_not_enough(event: Any, kind: str | None) -> None:
    """SRC-01..17: the members of the table alone decide."""
    assert kind_of(event) == kind


@pytest.mark.parametrize("event", [None, True, 7, "sqs", [], [{"eventSource": "aws:sqs"}], {}, {"id": 7}])
def test_src_17_150_what_is_of_no_source_is_a_direct_invocations(event: Any) -> None:
    """SRC-17, 150: any JSON value may be one."""
    assert kind_of(event) is None


def test_src_17_the_first_rule_that_matches_wins() -> None:
    """SRC-01..17: an event that is of two kinds is of the one whose rule comes first."""
    both = {**sample("alb"), **sample("sqs")}

    assert kind_of(both) == "sqs"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            found += _paths(each, (*path, key))
    return found


@given(data=st.data(), name=st.sampled_from(NAMES), put=st.sampled_from([None, 0, True, "", "aws:sqs", [], [1], {}]))
def test_src_17_an_event_with_anything_in_any_place_is_of_some_kind_or_none(
    data: st.DataObject, name: str, put: Any
) -> None:
    """Events come from strangers, too: nothing in them makes recognition fail."""
    event = copy.deepcopy(sample(name))
    *way, last = data.draw(st.sampled_from(_paths(event)))
    place: Any = event
    for key in way:
        place = place[key]
    place[last] = put

    assert kind_of(event) in {None, *NAMES}


def test_every_kind_has_a_builder_and_says_what_it_is() -> None:
    """`eventmap.testing.events` has a function for each, by its name."""
    from eventmap.testing import events

    builders: list[Callable[..., Any]] = [getattr(events, name.replace("-", "_")) for name in NAMES]

    assert all(map(callable, builders))
    assert len(set(NAMES)) == len(NAMES)
    assert all(kind.recognised_by and kind.source and kind.rules.startswith("SRC-") for kind in KINDS)
