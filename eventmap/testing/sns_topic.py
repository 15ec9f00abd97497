"""Topics and subscriptions of the in-memory SNS: AWS' attributes in, checked settings out; nothing delivers here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from eventmap.errors import InvalidParameterValue, SourceError
from eventmap.rules.delivery_policy import (
    DeliveryPolicy,
    HttpDelivery,
    http_delivery,
    subscription_policy,
    topic_policy,
)
from eventmap.rules.filter_policy import FilterPolicy
from eventmap.rules.pattern.document import parse_document
from eventmap.rules.sns_publish import (
    DEFAULT_MESSAGE_BYTES,
    LARGE_TOPIC_PROTOCOLS,
    LARGE_TOPIC_SUBSCRIPTIONS,
    MESSAGE_BYTES,
)
from eventmap.rules.sns_signature import VERSIONS, SignatureVersion
from eventmap.subscription import FilterPolicyScope
from eventmap.testing.sqs_order import Deduplication

Protocol = Literal["http", "https", "sqs", "lambda"]

POLICIES_PER_TOPIC: Final = 200
FIRST_SEQUENCE_NUMBER: Final = 10_000_000_000_000_000_000
_IN_A_REQUEST: Final = "Invalid parameter: Attributes Reason: "
_ALONE: Final = "Invalid parameter: "


def invalid(said: str) -> SourceError:
    """As SNS words it."""
    return SourceError(f"{_ALONE}{said}", code="InvalidParameter")


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """Checked attributes of a topic."""

    is_fifo: bool = False
    content_based_deduplication: bool = False
    deduplicates_per_group: bool = False  #: `FifoThroughputScope` MessageGroup
    signature_version: SignatureVersion = "1"
    maximum_message_size: int = DEFAULT_MESSAGE_BYTES
    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> TopicSettings:
        """Raises: SourceError for an attribute that is wrong, or that this SNS cannot honour."""
        known = ["SignatureVersion", "MaximumMessageSize", "DeliveryPolicy", "FifoTopic"]
        is_fifo = _choice(attributes, "FifoTopic", ("false", "true")) == "true"
        if is_fifo:
            known += ["ContentBasedDeduplication", "FifoThroughputScope"]
        for name in attributes:
            if name not in known:
                raise SourceError(f"{_IN_A_REQUEST}Unknown attribute {name}", code="InvalidParameter")
        size = attributes.get("MaximumMessageSize", str(DEFAULT_MESSAGE_BYTES))
        least, most = MESSAGE_BYTES
        if not size.isdecimal() or not least <= int(size) <= most:
            raise invalid("MaximumMessageSize")
        try:
            delivery = topic_policy(attributes.get("DeliveryPolicy", ""))
        except InvalidParameterValue as error:
            raise SourceError(str(error), code="InvalidParameter") from error
        return cls(
            is_fifo=is_fifo,
            content_based_deduplication=_choice(attributes, "ContentBasedDeduplication", ("false", "true")) == "true",
            deduplicates_per_group=_choice(attributes, "FifoThroughputScope", ("Topic", "MessageGroup"))
            == "MessageGroup",
            signature_version=cast(SignatureVersion, _choice(attributes, "SignatureVersion", VERSIONS)),
            maximum_message_size=int(size),
            delivery=delivery,
        )

    @property
    def takes_large_messages(self) -> bool:
        """Which narrows who can be subscribed (SNS-03)."""
        return self.maximum_message_size > DEFAULT_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """Checked attributes of a subscription."""

    is_raw: bool = False
    policy: FilterPolicy | None = None
    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    dead_letter_arn: str | None = None

    @classmethod
    def of(
        cls, attributes: Mapping[str, str], topic_arn: str, protocol: Protocol, *, on_subscribe: bool
    ) -> SubscriptionSettings:
        """Raises: SourceError for an attribute that is wrong, or that this SNS cannot honour.

        Rules: SNS-59, SNS-75, SNS-95, SNS-104, SNS-120.
        """
        prefix = _IN_A_REQUEST if on_subscribe else _ALONE
        known = {"RawMessageDelivery", "FilterPolicy", "FilterPolicyScope", "DeliveryPolicy", "RedrivePolicy"}
        for name in attributes:
            if name not in known:
                raise SourceError(f"{prefix}Unknown attribute {name}", code="InvalidParameter")
        is_raw = _choice(attributes, "RawMessageDelivery", ("false", "true")) == "true"
        if is_raw and protocol == "lambda":
            raise SourceError(
                f"{prefix}RawMessageDelivery: Delivery protocol [lambda] does not support raw message delivery.",
                code="InvalidParameter",
            )
        if attributes.get("DeliveryPolicy") and protocol not in ("http", "https"):
            raise SourceError(f"{prefix}DeliveryPolicy: it is for HTTP endpoints only", code="InvalidParameter")
        scope = cast(FilterPolicyScope, _choice(attributes, "FilterPolicyScope", ("MessageAttributes", "MessageBody")))
        text = attributes.get("FilterPolicy", "")
        try:
            policy = FilterPolicy(text, scope, prefix=f"{prefix}FilterPolicy: ") if text else None
            delivery = subscription_policy(attributes.get("DeliveryPolicy", ""), prefix=f"{prefix}DeliveryPolicy: ")
        except InvalidParameterValue as error:
            raise SourceError(str(error), code="InvalidParameter") from error
        dead_letter_arn = _dead_letter_arn(attributes.get("RedrivePolicy", ""), topic_arn, prefix)
        return cls(is_raw, policy, delivery, dead_letter_arn)


@dataclass(slots=True, eq=False)
class Subscription:
    """One endpoint of a topic."""

    arn: str
    topic_arn: str
    protocol: Protocol
    endpoint: str
    attributes: Mapping[str, str]
    settings: SubscriptionSettings
    is_confirmed: bool
    is_removed: bool = False
    authenticates_unsubscribe: bool = False  #: only its owner may end it, not whoever has the URL
    free_at: float = 0.0  #: when the endpoint may be called next, on the loop's clock (SNS-112)
    _policies: list[tuple[float, FilterPolicy | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._policies.append((0.0, self.settings.policy))

    def change(self, attributes: Mapping[str, str], settings: SubscriptionSettings, policy_at: float) -> None:
        """`policy_at` is when a new filter policy takes effect (SNS-75)."""
        self.attributes = attributes
        self.settings = settings
        self._policies.append((policy_at, settings.policy))

    def policy_at(self, now: float) -> FilterPolicy | None:
        """The filter policy in effect."""
        while len(self._policies) > 1 and self._policies[1][0] <= now:
            del self._policies[0]
        return self._policies[0][1]


@dataclass(slots=True, eq=False)
class Topic:
    """One topic; `subscriptions` by their ARN, pending ones included."""

    arn: str
    attributes: Mapping[str, str]
    settings: TopicSettings
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    deduplication: Deduplication = field(default_factory=Deduplication)
    sequence_number: int = FIRST_SEQUENCE_NUMBER

    def change(self, attributes: Mapping[str, str]) -> None:
        """Raises: SourceError."""
        merged = {**self.attributes, **attributes}
        if (merged.get("FifoTopic") == "true") != self.settings.is_fifo:
            raise invalid("FifoTopic")
        self.settings = TopicSettings.of(merged)
        self.attributes = merged

    def http_delivery(self, subscription: Subscription) -> HttpDelivery | None:
        """How; None = to an endpoint that delivery policies are not about."""
        if subscription.protocol not in ("http", "https"):
            return None
        return http_delivery(self.settings.delivery, subscription.settings.delivery)

    def next_sequence_number(self) -> str:
        self.sequence_number += 1
        return str(self.sequence_number)


def metrics_of_filtered(policy: FilterPolicy, attributes: Mapping[str, object], text: str) -> tuple[str, str]:
    """What counts a message that a policy does not let through (SNS-98)."""
    if policy.scope == "MessageBody":
        detail = "MessageBody" if parse_document(text) is not None else "InvalidMessageBody"
    else:
        detail = "MessageAttributes" if attributes else "NoMessageAttributes"
    return "NumberOfNotificationsFilteredOut", f"NumberOfNotificationsFilteredOut-{detail}"


def check_endpoint(topic: Topic, protocol: Protocol, endpoint: str) -> None:
    """Raises: SourceError for one that cannot be subscribed to that topic (SNS-03, 125)."""
    is_fifo_queue = endpoint.endswith(".fifo")
    begins = {"sqs": "arn:aws:sqs:", "lambda": "arn:aws:lambda:"}.get(protocol, f"{protocol}://")
    if not endpoint.startswith(begins) or (begins.startswith("arn:") and len(endpoint.split(":")) < 6):
        raise invalid("Endpoint")
    if topic.settings.is_fifo and protocol != "sqs":
        raise invalid(f"Invalid protocol type: {protocol}")
    if is_fifo_queue and protocol == "sqs" and not topic.settings.is_fifo:
        raise invalid("Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
    if topic.settings.takes_large_messages and protocol not in LARGE_TOPIC_PROTOCOLS:
        raise invalid(f"Protocol Reason: {protocol} takes no messages above {DEFAULT_MESSAGE_BYTES} bytes")


def check_room(topic: Topic, settings: SubscriptionSettings) -> None:
    """Raises: SourceError if the topic takes no further subscription of that kind (SNS-03, 94)."""
    if topic.settings.takes_large_messages and len(topic.subscriptions) >= LARGE_TOPIC_SUBSCRIPTIONS:
        raise SourceError("the topic has as many subscriptions as it may", code="SubscriptionLimitExceeded")
    with_policy = sum(each.settings.policy is not None for each in topic.subscriptions.values())
    if settings.policy is not None and with_policy >= POLICIES_PER_TOPIC:
        raise SourceError("the topic has as many filter policies as it may", code="FilterPolicyLimitExceeded")


def _choice(attributes: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The first is the default."""
    value = attributes.get(name, choices[0])
    if value not in choices:
        raise invalid(name)
    return value


def _dead_letter_arn(text: str, topic_arn: str, prefix: str) -> str | None:
    """A queue of the topic's own account and Region; FIFO if the topic is (SNS-120)."""
    if not text:
        return None
    try:
        policy: Any = json.loads(text)
        arn = policy["deadLetterTargetArn"]
        service, region, account, name = arn.split(":")[2:6]
    except (ValueError, KeyError, TypeError, AttributeError):
        service, region, account, name, arn = "", "", "", "", ""
    if service != "sqs" or [region, account] != topic_arn.split(":")[3:5] or not name:
        raise SourceError(
            f"{prefix}RedrivePolicy: deadLetterTargetArn is no queue of the topic's account and Region",
            code="InvalidParameter",
        )
    if name.endswith(".fifo") != topic_arn.endswith(".fifo"):
        raise SourceError(
            f"{prefix}RedrivePolicy: must use a {'FIFO' if topic_arn.endswith('.fifo') else 'standard'} queue as DLQ",
            code="InvalidParameter",
        )
    return str(arn)
