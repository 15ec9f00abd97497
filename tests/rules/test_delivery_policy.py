"""SNS' retries: three published schedules, policies of one's own, and what an endpoint's answer means."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import InvalidParameterValue
from eventmap.rules.delivery_policy import (
    AWS_MANAGED,
    CUSTOMER_MANAGED,
    HTTP,
    ON_SUBSCRIBE,
    PLAIN_TEXT,
    BackoffFunction,
    DeliveryPolicy,
    HttpDelivery,
    RetryPolicy,
    aws_verdict,
    http_delivery,
    http_verdict,
    subscription_policy,
    topic_policy,
)

DAY_S = 86_400


def test_sns_100_queues_and_functions_are_tried_again_for_23_days() -> None:
    """Three times at once, twice after a second, ten times ever later up to 20 s, then every 20 s."""
    waits = list(AWS_MANAGED.waits())

    assert waits[:5] == [0, 0, 0, 1, 1]
    assert waits[5:15] == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20]
    assert set(waits[15:]) == {20}
    assert len(waits) == 100_015
    assert 23 <= sum(waits) / DAY_S < 24


def test_sns_100_the_schedule_is_made_as_it_is_asked_for() -> None:
    """Nobody holds 100,000 numbers to look at five."""
    assert list(islice(RetryPolicy(num_retries=10**12, num_no_delay_retries=10**12).waits(), 2)) == [0, 0]


def test_sns_101_mail_and_mobile_endpoints_are_tried_again_for_six_hours() -> None:
    """Twice after 10 s, ten times ever later up to 600 s, then every 600 s."""
    waits = list(CUSTOMER_MANAGED.waits())

    assert waits[:4] == [10, 10, 10, 20]
    assert (waits[11], set(waits[12:])) == (600, {600})
    assert len(waits) == 50
    assert 6 <= sum(waits) / 3_600 < 8


def test_sns_102_http_endpoints_are_tried_again_three_times() -> None:
    """Twenty seconds apart."""
    assert list(HTTP.waits()) == [20, 20, 20]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("linear", [1, 4.75, 8.5, 12.25, 16]),
        ("arithmetic", [1, 1.9375, 4.75, 9.4375, 16]),
        ("geometric", [1, 2, 4, 8, 16]),
        ("exponential", [1, 2, 4, 8, 16]),
    ],
)
def test_sns_111_113_each_backoff_function_grows_in_its_own_way(
    function: BackoffFunction, expected: list[float]
) -> None:
    """From the least delay at the first retry of the phase to the greatest at its last."""
    policy = RetryPolicy(min_delay_target=1, max_delay_target=16, num_retries=5, backoff_function=function)

    assert list(policy.waits()) == pytest.approx(expected)


@given(
    function=st.sampled_from(get_args(BackoffFunction)),
    phases=st.tuples(*[st.integers(0, 30)] * 4),
    bounds=st.tuples(st.integers(1, 3_600), st.integers(1, 3_600)).map(sorted),
)
def test_sns_105_to_113_the_phases_add_up_and_never_shrink(
    function: BackoffFunction, phases: tuple[int, int, int, int], bounds: list[int]
) -> None:
    """As many retries as were asked for; what is neither at once nor between the two delays is not waited."""
    at_once, least, backoff, most = phases
    policy = RetryPolicy(
        min_delay_target=bounds[0],
        max_delay_target=bounds[1],
        num_retries=sum(phases),
        num_no_delay_retries=at_once,
        num_min_delay_retries=least,
        num_max_delay_retries=most,
        backoff_function=function,
    )

    waits = list(policy.waits())

    assert (len(waits), policy.num_backoff_retries) == (sum(phases), backoff)
    assert waits[:at_once] == [0] * at_once
    assert all(bounds[0] - 1e-9 <= wait <= bounds[1] + 1e-9 for wait in waits[at_once:])
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(waits))


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (302, "delivered"),
        (400, "delivered"),
        (403, "delivered"),
        (404, "delivered"),
        (499, "delivered"),
        (429, "failed"),
        (500, "failed"),
        (503, "failed"),
        (599, "failed"),
        (None, "failed"),
    ],
)
def test_sns_114_what_the_answer_of_an_http_endpoint_means(status: int | None, verdict: str) -> None:
    """None: no connection, or nothing within 15 s. A refusal for good does not exist."""
    assert http_verdict(status) == verdict


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (202, "delivered"),
        (200, "delivered"),
        (403, "refused"),
        (404, "refused"),
        (400, "refused"),
        (302, "refused"),
        (429, "failed"),
        (500, "failed"),
        (None, "failed"),
    ],
)
def test_sns_115_116_what_the_answer_of_an_aws_endpoint_means(status: int | None, verdict: str) -> None:
    """What is wrong with the endpoint itself is not tried again; a throttle or a failure of the service is."""
    assert aws_verdict(status) == verdict


HEALTHY = {
    "minDelayTarget": 1,
    "maxDelayTarget": 60,
    "numRetries": 50,
    "numNoDelayRetries": 3,
    "numMinDelayRetries": 2,
    "numMaxDelayRetries": 35,
    "backoffFunction": "exponential",
}


def test_sns_104_a_policy_of_a_subscription() -> None:
    """As the console writes it, nulls included."""
    text = json.dumps(
        {
            "healthyRetryPolicy": HEALTHY,
            "sicklyRetryPolicy": None,
            "throttlePolicy": {"maxReceivesPerSecond": 10},
            "requestPolicy": {"headerContentType": "application/json"},
            "guaranteed": False,
        }
    )

    policy = subscription_policy(text)

    assert policy == DeliveryPolicy(
        retry=RetryPolicy(
            min_delay_target=1,
            max_delay_target=60,
            num_retries=50,
            num_no_delay_retries=3,
            num_min_delay_retries=2,
            num_max_delay_retries=35,
            backoff_function="exponential",
        ),
        max_receives_per_second=10,
        content_type="application/json",
    )


def test_sns_104_a_policy_of_a_topic() -> None:
    """The same under `http`, in other words."""
    http = {
        "defaultHealthyRetryPolicy": {"numRetries": 5},
        "disableSubscriptionOverrides": True,
        "defaultThrottlePolicy": {"maxReceivesPerSecond": 1},
        "defaultRequestPolicy": {"headerContentType": "text/csv; charset=UTF-8"},
    }

    policy = topic_policy(json.dumps({"http": http}))

    assert policy == DeliveryPolicy(
        retry=RetryPolicy(num_retries=5),
        max_receives_per_second=1,
        content_type="text/csv; charset=UTF-8",
        disable_subscription_overrides=True,
    )


def test_sns_104_a_subscriptions_policy_goes_before_its_topics_part_by_part() -> None:
    """Unless the topic does not let it."""
    own = DeliveryPolicy(retry=RetryPolicy(num_retries=1))
    topic = DeliveryPolicy(retry=RetryPolicy(num_retries=2), max_receives_per_second=7)
    strict = DeliveryPolicy(content_type="text/xml", disable_subscription_overrides=True)

    assert http_delivery(DeliveryPolicy(), DeliveryPolicy()) == HttpDelivery(retry=HTTP, content_type=PLAIN_TEXT)
    assert http_delivery(topic, own) == HttpDelivery(retry=RetryPolicy(num_retries=1), max_receives_per_second=7)
    assert http_delivery(strict, own) == HttpDelivery(content_type="text/xml")


@pytest.mark.parametrize("text", ["", "{}", '{"healthyRetryPolicy": null}', '{"throttlePolicy": {}}'])
def test_sns_105_to_112_what_a_policy_does_not_say_is_the_default(text: str) -> None:
    """20 s, three retries, no phase but the backoff, linear, no throttle."""
    assert http_delivery(DeliveryPolicy(), subscription_policy(text)) == HttpDelivery()


def healthy(**changes: Any) -> str:
    return json.dumps({"healthyRetryPolicy": changes})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(healthy(minDelayTarget=0), "minDelayTarget must be a whole number from 1 to 3600", id="105"),
        pytest.param(healthy(minDelayTarget=21), "minDelayTarget must be at most maxDelayTarget", id="105 above"),
        pytest.param(healthy(maxDelayTarget=3_601), "maxDelayTarget must be a whole number from 1 to 3600", id="106"),
        pytest.param(healthy(maxDelayTarget=19), "must be at most maxDelayTarget, which is 19", id="106 below"),
        pytest.param(healthy(numRetries=101), "numRetries must be a whole number from 0 to 100", id="107"),
        pytest.param(healthy(numRetries=-1), "numRetries must be a whole number", id="107 below"),
        pytest.param(healthy(numRetries=True), "numRetries must be a whole number", id="107 bool"),
        pytest.param(healthy(numRetries=2.5), "numRetries must be a whole number", id="107 float"),
        pytest.param(healthy(numRetries="3"), "numRetries must be a whole number", id="107 text"),
        pytest.param(healthy(numNoDelayRetries=-1), "numNoDelayRetries must be", id="108"),
        pytest.param(healthy(numMinDelayRetries=-1), "numMinDelayRetries must be", id="109"),
        pytest.param(healthy(numMaxDelayRetries=-1), "numMaxDelayRetries must be", id="110"),
        pytest.param(healthy(backoffFunction="cubic"), "backoffFunction must be one of arithmetic", id="111"),
        pytest.param(healthy(backoffFunction=["linear"]), "backoffFunction must be one of", id="111 list"),
        pytest.param('{"throttlePolicy": {"maxReceivesPerSecond": 0}}', "must be a whole number from 1 on", id="112"),
        pytest.param(healthy(numRetries=3, numNoDelayRetries=4), "numRetries must be at least", id="113"),
        pytest.param(
            healthy(minDelayTarget=40, maxDelayTarget=40, numRetries=100), "takes 4000 s in all, and 3600 s", id="103"
        ),
        pytest.param(healthy(jitter=1), "healthyRetryPolicy.jitter is not known", id="unknown inside"),
        pytest.param('{"http": {}}', "http is not known", id="a topic's"),
        pytest.param('{"guaranteed": true}', "guaranteed must be false", id="guaranteed"),
        pytest.param('{"sicklyRetryPolicy": {}}', "sicklyRetryPolicy must be null", id="sickly"),
        pytest.param('{"healthyRetryPolicy": []}', "healthyRetryPolicy must be an object", id="list"),
        pytest.param('{"throttlePolicy": {"rate": 1}}', "throttlePolicy.rate is not known", id="rate"),
        pytest.param('{"requestPolicy": {"headerContentType": "a\\r\\nb: c"}}', "must be a media type", id="header"),
        pytest.param('{"requestPolicy": {"headerContentType": 1}}', "must be a media type", id="header number"),
        pytest.param("[]", "must be a JSON object", id="array"),
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param("[" * 100_000, "is not JSON", id="deep"),
        pytest.param('{"guaranteed": false, "guaranteed": false}', "is not JSON", id="twice"),
    ],
)
def test_sns_103_to_113_a_wrong_policy_is_refused_where_it_is_wrong(text: str, said: str) -> None:
    """By its path, and what would be right."""
    with pytest.raises(InvalidParameterValue, match=r"^Invalid parameter: DeliveryPolicy: ") as refused:
        subscription_policy(text)
    with pytest.raises(InvalidParameterValue, match=r"^Invalid parameter: Attributes Reason: DeliveryPolicy: "):
        subscription_policy(text, prefix=ON_SUBSCRIBE)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"healthyRetryPolicy": {}}', "healthyRetryPolicy is not known; known are http"),
        ('{"http": {"disableSubscriptionOverrides": 1}}', "http.disableSubscriptionOverrides must be true or false"),
        ('{"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}', "http.defaultHealthyRetryPolicy.numRetries"),
        ('{"http": {"other": 1}}', "http.other is not known"),
    ],
)
def test_sns_104_a_wrong_policy_of_a_topic_is_refused(text: str, said: str) -> None:
    """By its path too."""
    with pytest.raises(InvalidParameterValue) as refused:
        topic_policy(text)

    assert said in str(refused.value)


@given(
    healthy=st.dictionaries(
        st.sampled_from([*HEALTHY]), st.one_of(st.integers(-1, 4_000), st.sampled_from(["linear", None, 1.5]))
    )
)
def test_sns_103_to_113_what_is_not_refused_keeps_every_bound(healthy: dict[str, Any]) -> None:
    """Whatever is written: a policy within all limits, or one kind of error."""
    try:
        policy = subscription_policy(json.dumps({"healthyRetryPolicy": healthy})).retry or HTTP
    except InvalidParameterValue:
        return
    waits = list(policy.waits())

    assert 1 <= policy.min_delay_target <= policy.max_delay_target <= 3_600
    assert len(waits) == policy.num_retries <= 100
    assert sum(waits) <= 3_600
