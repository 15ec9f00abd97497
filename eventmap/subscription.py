"""SnsSubscription and S3Notification: what ties a topic or a bucket to one function, validated once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from eventmap.errors import InvalidParameterValue
from eventmap.mapping import check_pointers

FilterPolicyScope = Literal["MessageAttributes", "MessageBody"]

EVENT_FAMILIES: Final = frozenset(
    {
        "ObjectCreated",
        "ObjectRemoved",
        "ObjectRestore",
        "ReducedRedundancyLostObject",
        "Replication",
        "LifecycleExpiration",
        "LifecycleTransition",
        "IntelligentTiering",
        "ObjectTagging",
        "ObjectAcl",
    }
)
"""What S3 notifies of, without the `s3:` in front and the detail behind (SRC-25)."""

NOT_FOR_FUNCTIONS: Final = {
    "raw_message_delivery": "raw delivery does not apply to functions (SNS-59)",
    "redrive_policy": "an accepted event is the function's: give it a dead_letter_config or an OnFailure destination",
    "delivery_policy": "it is for HTTP endpoints of your own; a function's failed events are retried as INV-41 says",
}
"""Settings of a subscription that are refused, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsSubscription:
    """A topic that invokes a function, asynchronously. AWS' names. Raises: InvalidParameterValue."""

    topic_arn: str
    """The topic: its ARN, or, an extension of ours, its name."""

    function_name: str

    filter_policy: Mapping[str, Any] | str | None = None
    """The subscription's filter policy, as an object or as JSON text; None = every message (SNS-75)."""

    filter_policy_scope: FilterPolicyScope = "MessageAttributes"
    """What the policy looks at."""

    pointer_buckets: Sequence[str] = ()
    """Our own setting: as that of a queue's mapping, for pointers that are published (SNS-141)."""

    pointer_limit_bytes: int = 6_000_000
    """Our own setting: as that of a queue's mapping; with events in SQS keep it below 1 MB."""

    def __post_init__(self) -> None:
        if not isinstance(self.topic_arn, str) or not self.topic_arn:
            raise InvalidParameterValue(f"topicArn must name a topic, not {self.topic_arn!r}")
        if self.topic_arn.endswith(".fifo"):
            raise InvalidParameterValue(
                f"{self.topic_arn!r} is a FIFO topic, which cannot invoke a function: subscribe a FIFO queue to it and "
                "map that (SNS-125)"
            )
        check_pointers(self.pointer_buckets, self.pointer_limit_bytes)
        if self.filter_policy_scope not in get_args(FilterPolicyScope):
            raise InvalidParameterValue(
                f"filterPolicyScope may be {' or '.join(get_args(FilterPolicyScope))}, not {self.filter_policy_scope!r}"
            )
        if self.filter_policy is not None and not isinstance(self.filter_policy, str | Mapping):
            raise InvalidParameterValue(f"filterPolicy must be an object or JSON text, not {self.filter_policy!r}")

    @property
    def policy_text(self) -> str | None:
        """The policy as JSON text; None = none."""
        policy = self.filter_policy
        return policy if policy is None or isinstance(policy, str) else json.dumps(policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Notification:
    """A bucket whose events invoke a function, asynchronously. Raises: InvalidParameterValue."""

    bucket: str
    """Its name or ARN."""

    function_name: str

    events: Sequence[str] = ("s3:ObjectCreated:*",)
    """Event types as a bucket's configuration spells them, `s3:` in front (SRC-21, 25)."""

    prefix: str = ""
    """Only keys that begin so, unencoded and case-sensitive; "" = all (SRC-26)."""

    suffix: str = ""
    """Only keys that end so; "" = all."""

    def __post_init__(self) -> None:
        if not isinstance(self.bucket, str) or not self.bucket_name:
            raise InvalidParameterValue(f"bucket must name a bucket, not {self.bucket!r}")
        if not isinstance(self.events, list | tuple) or not self.events:
            raise InvalidParameterValue(f'events must be a list such as ["s3:ObjectCreated:*"], not {self.events!r}')
        for event in self.events:
            parts = event.split(":") if isinstance(event, str) else []
            if len(parts) not in (2, 3) or parts[0] != "s3" or parts[1] not in EVENT_FAMILIES:
                raise InvalidParameterValue(
                    f"{event!r} is no event of S3; it looks like s3:ObjectCreated:* or s3:ObjectRemoved:Delete (SRC-25)"
                )
        for name, value in (("prefix", self.prefix), ("suffix", self.suffix)):
            if not isinstance(value, str):
                raise InvalidParameterValue(f"{name} must be text, not {value!r}")

    @property
    def bucket_name(self) -> str:
        return self.bucket.removeprefix("arn:aws:s3:::")


def subscription_of(settings: Mapping[str, Any]) -> SnsSubscription:
    """Build a subscription from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown, or not for functions, saying which and why.
    """
    for name in settings:
        if reason := NOT_FOR_FUNCTIONS.get(name):
            raise InvalidParameterValue(f"{name} is not honoured, so it is refused: {reason}")
    _refuse_unknown(settings, SnsSubscription, "subscription")
    return SnsSubscription(**settings)


def notification_of(settings: Mapping[str, Any]) -> S3Notification:
    """The same for a bucket's notification."""
    _refuse_unknown(settings, S3Notification, "bucket notification")
    return S3Notification(**settings)


def _refuse_unknown(settings: Mapping[str, Any], kind: type[SnsSubscription | S3Notification], what: str) -> None:
    known = {field.name for field in fields(kind)}
    for name in settings:
        if name not in known:
            raise InvalidParameterValue(f"{name} is not a setting of a {what}; known are {', '.join(sorted(known))}")
