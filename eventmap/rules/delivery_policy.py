"""How often SNS tries a delivery again, and after which answers (SNS-100..116).

A delivery is tried, and after a failure again and again, in four phases:

    at once ──▶ pre-backoff: min apart ──▶ backoff: growing from min to max ──▶ post-backoff: max apart ──▶ dead letter
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import chain, repeat
from typing import Any, Final, Literal, assert_never, cast, get_args

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject
from eventmap.rules.unique_json import unique_json

BackoffFunction = Literal["arithmetic", "exponential", "geometric", "linear"]

Verdict = Literal["delivered", "failed", "refused"]
"""`failed` is tried again, and given up at the end; `refused` is given up at once (SNS-114, 115)."""

ANSWER_WITHIN_S: Final = 15.0
"""How long an HTTP endpoint may take; longer is a failure (SNS-114)."""

MAXIMUM_DELAY_S: Final = 3_600
MAXIMUM_RETRIES: Final = 100
MAXIMUM_TOTAL_S: Final = 3_600
"""Of all waits of an HTTP policy together; a hard limit (SNS-103)."""

PLAIN_TEXT: Final = "text/plain; charset=UTF-8"
"""The content type of deliveries over HTTP, JSON included (SNS-33)."""

ON_SUBSCRIBE: Final = "Invalid parameter: Attributes Reason: DeliveryPolicy: "
"""What stands before the reason when a policy comes with Subscribe or CreateTopic."""

ON_CHANGE: Final = "Invalid parameter: DeliveryPolicy: "
"""And when an attribute is set."""

_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?: ?; ?[A-Za-z0-9=\"._-]+)*", re.ASCII)
_DEFAULT_POLICY: Final = "defaultHealthyRetryPolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The phases of one kind of endpoint. AWS' names; delays in seconds, numbers count retries, not the first attempt.

    The defaults are those of HTTP. Not checked: `healthy_retry_policy` does that for what a user writes.
    """

    min_delay_target: float = 20
    max_delay_target: float = 20
    num_retries: int = 3
    """All of them, those of the other phases included; the backoff phase has what is left (SNS-113)."""
    num_no_delay_retries: int = 0
    num_min_delay_retries: int = 0
    num_max_delay_retries: int = 0
    backoff_function: BackoffFunction = "linear"

    @property
    def num_backoff_retries(self) -> int:
        return self.num_retries - self.num_no_delay_retries - self.num_min_delay_retries - self.num_max_delay_retries

    def waits(self) -> Iterator[float]:
        """How long to wait before each retry, in order; made as it is asked for, for there may be 100,000 of them.

        Rules: SNS-100..102, 113. What AWS adds to each at random is not known, and not in it (SNS-103).
        """
        count = self.num_backoff_retries
        backoff = partial(_backoff, self.backoff_function, self.min_delay_target, self.max_delay_target, count)
        return chain(
            repeat(0.0, self.num_no_delay_retries),
            repeat(float(self.min_delay_target), self.num_min_delay_retries),
            map(backoff, range(count)),
            repeat(float(self.max_delay_target), self.num_max_delay_retries),
        )


# The published tables count retries: what comes "immediately after the initial delivery attempt" is the first of them.
AWS_MANAGED: Final = RetryPolicy(
    min_delay_target=1,
    max_delay_target=20,
    num_retries=100_015,
    num_no_delay_retries=3,
    num_min_delay_retries=2,
    num_max_delay_retries=100_000,
    backoff_function="exponential",
)
"""Functions, queues and Firehose: 23 days (SNS-100)."""

CUSTOMER_MANAGED: Final = RetryPolicy(
    min_delay_target=10,
    max_delay_target=600,
    num_retries=50,
    num_min_delay_retries=2,
    num_max_delay_retries=38,
    backoff_function="exponential",
)
"""Mail, text messages and mobile push: six hours (SNS-101)."""

HTTP: Final = RetryPolicy()
"""Three retries, 20 s apart, unless a policy says otherwise (SNS-102)."""


def _backoff(function: BackoffFunction, low: float, high: float, count: int, index: int) -> float:
    """The curves are not published; each begins at `low`, and none goes beyond `high` (SNS-113)."""
    part = index / (count - 1) if count > 1 else 0.0
    match function:
        case "linear":
            return low + (high - low) * part
        case "arithmetic":
            return low + (high - low) * part * part
        case "geometric":
            return min(float(high), low * math.pow(high / low, part))
        case "exponential":
            return float(min(high, low * 2 ** min(index, 64)))
        case _:
            assert_never(function)


def http_verdict(status: int | None) -> Verdict:
    """What the answer of an HTTP endpoint means; None = there was none in time, or no connection (SNS-114).

    Whatever it answers but 429 and 5xx counts as delivered, a redirect and a 404 too.
    """
    return "failed" if status is None or status == 429 or status >= 500 else "delivered"


def aws_verdict(status: int | None) -> Verdict:
    """The same for a function, a queue or Firehose: what the request itself was answered (SNS-58, 115, 116)."""
    if status is None or status == 429 or status >= 500:
        return "failed"
    return "delivered" if 200 <= status < 300 else "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDelivery:
    """What delivery policies say about deliveries to one HTTP endpoint, all together."""

    retry: RetryPolicy = HTTP
    max_receives_per_second: int | None = None  #: None = as many as there are (SNS-112)
    content_type: str = PLAIN_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """A policy as it was written, checked; None = it does not say. Rules: SNS-104..112."""

    retry: RetryPolicy | None = None
    max_receives_per_second: int | None = None
    content_type: str | None = None
    disable_subscription_overrides: bool = False  #: of a topic's policy: subscriptions' own do not count


def http_delivery(topic: DeliveryPolicy, subscription: DeliveryPolicy) -> HttpDelivery:
    """What holds for a subscription: its own policy, part by part, else its topic's, else the default (SNS-104)."""
    effective = HttpDelivery()
    for policy in (topic,) if topic.disable_subscription_overrides else (topic, subscription):
        for name in ("retry", "max_receives_per_second", "content_type"):
            if (value := getattr(policy, name)) is not None:
                effective = replace(effective, **{name: value})
    return effective


def subscription_policy(text: str, *, prefix: str = ON_CHANGE) -> DeliveryPolicy:
    """Read a subscription's `DeliveryPolicy`; "" and `{}` are none.

    Raises: InvalidParameterValue, `prefix` before the reason. Rules: SNS-104..113.
    """
    reader = _Reader(prefix)
    document = reader.document(text)
    reader.refuse_unknown(
        document, "", ("healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed")
    )
    if document.get("sicklyRetryPolicy") is not None:
        raise reader.refused("sicklyRetryPolicy", "must be null")
    if document.get("guaranteed", False) is not False:
        raise reader.refused("guaranteed", "must be false")
    return reader.policy(document, "", "healthyRetryPolicy", "throttlePolicy", "requestPolicy")


def topic_policy(text: str, *, prefix: str = ON_CHANGE) -> DeliveryPolicy:
    """The same of a topic, which has it under `http` and in other words."""
    reader = _Reader(prefix)
    document = reader.document(text)
    reader.refuse_unknown(document, "", ("http",))
    http = reader.member(document, "", "http")
    names = (_DEFAULT_POLICY, "defaultThrottlePolicy", "defaultRequestPolicy")
    reader.refuse_unknown(http, "http.", (*names, "disableSubscriptionOverrides"))
    disabled = http.get("disableSubscriptionOverrides", False)
    if not isinstance(disabled, bool):
        raise reader.refused("http.disableSubscriptionOverrides", "must be true or false")
    return replace(reader.policy(http, "http.", *names), disable_subscription_overrides=disabled)


class _Reader:
    """Reads one policy; every refusal names the path of what is wrong."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def refused(self, path: str, reason: str) -> InvalidParameterValue:
        return InvalidParameterValue(f"{self._prefix}{path} {reason}")

    def document(self, text: str) -> JsonObject:
        if not text:
            return {}
        try:
            document = unique_json(text)
        except ValueError as error:
            raise self.refused("the policy", f"is not JSON: {error}") from None
        if not isinstance(document, dict):
            raise self.refused("the policy", "must be a JSON object")
        return document

    def member(self, document: Mapping[str, Any], path: str, name: str) -> JsonObject:
        """An object, {} where there is none."""
        value = document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.refused(f"{path}{name}", "must be an object")
        return value

    def refuse_unknown(self, document: Mapping[str, Any], path: str, known: tuple[str, ...]) -> None:
        for name in document:
            if name not in known:
                raise self.refused(f"{path}{name}", f"is not known; known are {', '.join(known)}")

    def policy(self, document: JsonObject, path: str, healthy: str, throttle: str, request: str) -> DeliveryPolicy:
        retry = self.member(document, path, healthy)
        limits = self.member(document, path, throttle)
        self.refuse_unknown(limits, f"{path}{throttle}.", ("maxReceivesPerSecond",))
        headers = self.member(document, path, request)
        self.refuse_unknown(headers, f"{path}{request}.", ("headerContentType",))
        rate = limits.get("maxReceivesPerSecond")
        if rate is not None:
            rate = self._whole(rate, f"{path}{throttle}.maxReceivesPerSecond", 1, None)
        content_type = headers.get("headerContentType")
        if content_type is not None and not (isinstance(content_type, str) and _CONTENT_TYPE.fullmatch(content_type)):
            raise self.refused(f"{path}{request}.headerContentType", "must be a media type such as application/json")
        return DeliveryPolicy(
            retry=self._retry(retry, f"{path}{healthy}.") if retry else None,
            max_receives_per_second=rate,
            content_type=content_type,
        )

    def _retry(self, document: JsonObject, path: str) -> RetryPolicy:
        """Rules: SNS-103, SNS-105..111, SNS-113."""
        names = {_camel(field.name): field.name for field in fields(RetryPolicy)}
        self.refuse_unknown(document, path, tuple(names))
        function = document.get("backoffFunction", HTTP.backoff_function)
        if function not in get_args(BackoffFunction):
            raise self.refused(f"{path}backoffFunction", f"must be one of {', '.join(get_args(BackoffFunction))}")
        numbers = {
            field: self._whole(document[name], f"{path}{name}", *_RANGES[field])
            for name, field in names.items()
            if name in document and field in _RANGES
        }
        policy = replace(HTTP, **numbers, backoff_function=cast(BackoffFunction, function))
        if policy.min_delay_target > policy.max_delay_target:
            raise self.refused(
                f"{path}minDelayTarget", f"must be at most maxDelayTarget, which is {policy.max_delay_target}"
            )
        if policy.num_backoff_retries < 0:
            raise self.refused(f"{path}numRetries", "must be at least the retries of the other phases together")
        if (total_s := sum(policy.waits())) > MAXIMUM_TOTAL_S:
            raise self.refused(
                path.removesuffix("."), f"takes {total_s:.0f} s in all, and {MAXIMUM_TOTAL_S} s are the most"
            )
        return policy

    def _whole(self, value: object, path: str, least: int, most: int | None) -> int:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < least
            or (most is not None and value > most)
        ):
            raise self.refused(path, f"must be a whole number from {least}" + (f" to {most}" if most else " on"))
        return value


_RANGES: Final[dict[str, tuple[int, int]]] = {
    "min_delay_target": (1, MAXIMUM_DELAY_S),
    "max_delay_target": (1, MAXIMUM_DELAY_S),
    "num_retries": (0, MAXIMUM_RETRIES),
    "num_no_delay_retries": (0, MAXIMUM_RETRIES),
    "num_min_delay_retries": (0, MAXIMUM_RETRIES),
    "num_max_delay_retries": (0, MAXIMUM_RETRIES),
}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
