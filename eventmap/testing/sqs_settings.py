"""What a queue's attributes mean: AWS' strings in, checked numbers out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eventmap.errors import SourceError

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
MAXIMUM_VISIBILITY_TIMEOUT_S: Final = 43_200

_NUMBERS: Final = {  # name: (lowest, highest, default)
    "VisibilityTimeout": (0, MAXIMUM_VISIBILITY_TIMEOUT_S, 30),
    "DelaySeconds": (0, 900, 0),
    "MessageRetentionPeriod": (60, 1_209_600, 345_600),
    "MaximumMessageSize": (1_024, 1_048_576, 1_048_576),
    "ReceiveMessageWaitTimeSeconds": (0, 20, 0),
}
_DOCUMENTS: Final = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
_FIFO_CHOICES: Final = {
    "ContentBasedDeduplication": ("false", "true"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}


@dataclass(frozen=True, slots=True)
class Redrive:
    """`RedrivePolicy`: after `max_receive_count` receives a message moves to the queue with `target_arn` (SQS-68)."""

    target_arn: str
    max_receive_count: int


@dataclass(frozen=True, slots=True)
class RedriveAllowance:
    """`RedriveAllowPolicy`: which queues may name this one as their dead-letter queue (SQS-69)."""

    permission: str = "allowAll"
    source_arns: tuple[str, ...] = ()

    def allows(self, source_arn: str) -> bool:
        return self.permission == "allowAll" or (self.permission == "byQueue" and source_arn in self.source_arns)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Checked settings of one queue; `attributes` is the same as `GetQueueAttributes` shows them. Seconds and bytes."""

    attributes: Mapping[str, str]
    visibility_timeout: int
    delay_seconds: int
    message_retention_period: int
    maximum_message_size: int
    is_fifo: bool
    content_based_deduplication: bool
    deduplicates_per_group: bool
    redrive: Redrive | None
    allowance: RedriveAllowance

    @classmethod
    def of(cls, attributes: Mapping[str, str]) -> QueueSettings:
        """Check attributes and fill in AWS' defaults.

        Raises: SourceError, code `InvalidAttributeName` for an attribute that does not exist or that this queue cannot
        honour (encryption, tags), `InvalidAttributeValue` for a value out of range.
        Rules: SQS-52, SQS-66, SQS-68, SQS-69, SQS-72, SQS-128, SQS-130.
        """
        is_fifo = _choice(attributes, "FifoQueue", ("false", "true")) == "true"
        known = {*_NUMBERS, "FifoQueue", *_DOCUMENTS, *(_FIFO_CHOICES if is_fifo else ())}
        for name in attributes:
            if name not in known:
                raise SourceError(f"Unknown Attribute {name}.", code="InvalidAttributeName")
        shown = {name: str(_number(attributes, name)) for name in _NUMBERS}
        if is_fifo:
            shown["FifoQueue"] = "true"
            shown |= {name: _choice(attributes, name, choices) for name, choices in _FIFO_CHOICES.items()}
        shown |= {name: attributes[name] for name in _DOCUMENTS if attributes.get(name)}
        _check_policy(shown.get("Policy"))
        return cls(
            attributes=shown,
            visibility_timeout=int(shown["VisibilityTimeout"]),
            delay_seconds=int(shown["DelaySeconds"]),
            message_retention_period=int(shown["MessageRetentionPeriod"]),
            maximum_message_size=int(shown["MaximumMessageSize"]),
            is_fifo=is_fifo,
            content_based_deduplication=shown.get("ContentBasedDeduplication") == "true",
            deduplicates_per_group=shown.get("DeduplicationScope") == "messageGroup",
            redrive=_redrive(shown.get("RedrivePolicy")),
            allowance=_allowance(shown.get("RedriveAllowPolicy")),
        )


def _check_policy(text: str | None) -> None:
    """It is kept and shown; here everybody may send."""
    if text is None:
        return
    try:
        is_policy = isinstance(json.loads(text), dict)
    except ValueError:
        is_policy = False
    if not is_policy:
        raise _invalid("Policy")


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def queue_url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def _number(attributes: Mapping[str, str], name: str) -> int:
    low, high, default = _NUMBERS[name]
    text = str(attributes.get(name, default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise _invalid(name)
    return int(text)


def _choice(attributes: Mapping[str, str], name: str, choices: tuple[str, str]) -> str:
    value = attributes.get(name, choices[0])
    if value not in choices:
        raise _invalid(name)
    return value


def _redrive(text: str | None) -> Redrive | None:
    if text is None:
        return None
    try:
        policy = json.loads(text)
        redrive = Redrive(str(policy["deadLetterTargetArn"]), int(policy.get("maxReceiveCount", 10)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _invalid("RedrivePolicy") from error
    if not 1 <= redrive.max_receive_count <= 1_000:
        raise _invalid("RedrivePolicy")
    return redrive


def _allowance(text: str | None) -> RedriveAllowance:
    if text is None:
        return RedriveAllowance()
    try:
        policy = json.loads(text)
        allowance = RedriveAllowance(
            policy.get("redrivePermission", "allowAll"), tuple(policy.get("sourceQueueArns", ()))
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise _invalid("RedriveAllowPolicy") from error
    if allowance.permission not in ("allowAll", "denyAll", "byQueue") or len(allowance.source_arns) > 10:
        raise _invalid("RedriveAllowPolicy")
    return allowance


def _invalid(name: str) -> SourceError:
    return SourceError(f"Invalid value for the parameter {name}.", code="InvalidAttributeValue")
