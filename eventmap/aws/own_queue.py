"""Queues of eventmap's own: what a topic or a bucket delivers to when it cannot reach us over HTTP.

Each has a dead-letter queue beside it, where a message goes that could not be understood or handed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import anyio
import orjson

from eventmap import telemetry
from eventmap.clock import elapsed_s
from eventmap.errors import QueueNotFound, SourceError

SendingService = Literal["sns.amazonaws.com", "s3.amazonaws.com"]

MAX_RECEIVE_COUNT: Final = 5
DEAD_LETTER_SUFFIX: Final = "-dlq"
_NAME_LIMIT: Final = 80 - len(DEAD_LETTER_SUFFIX)
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_RETENTION_S: Final = 1_209_600
_EXISTS: Final = frozenset({"QueueAlreadyExists", "QueueNameExists", "AWS.SimpleQueueService.QueueNameExists"})
_JUST_DELETED: Final = frozenset({"QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"})
_PATIENCE_S: Final = 75.0  # AWS keeps a deleted queue's name for a minute
_ASK_AGAIN_S: Final = 5.0

_log = telemetry.logger("eventmap.aws")


class QueueSetup(Protocol):
    """The calls that make queues and take them away, as `SqsWire` has them."""

    async def get_queue_url(self, name: str, owner: str | None = None) -> str: ...

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]: ...

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str: ...

    async def set_queue_attributes(self, queue_url: str, attributes: Mapping[str, str]) -> None: ...

    async def delete_queue(self, queue_url: str) -> None: ...


@dataclass(frozen=True, slots=True)
class OwnQueue:
    """A queue that only eventmap reads."""

    url: str
    arn: str


def own_queue_name(function_name: str, source_arn: str, detail: str = "") -> str:
    """The same for the same function and source, so that a restart finds what a crash has left behind.

    `source_arn` is the topic's or the bucket's; `detail` is what else one of its queues differs from another by. Two
    that are read alike by people differ in the hash at the end.
    """
    source = re.split(r"[:/]", source_arn)[-1]
    identity = "\n".join((function_name, source_arn, *([detail] if detail else ())))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    readable = _UNFIT.sub("-", f"eventmap-{function_name}-{source}")
    return f"{readable[: _NAME_LIMIT - len(digest) - 1]}-{digest}"


async def create_own_queue(
    wire: QueueSetup, name: str, *, service: SendingService, source_arn: str, visibility_timeout_s: int = 60
) -> OwnQueue:
    """A queue to which that service may send from that source and nobody else; one of that name is found again.

    `name` has at most 76 characters, as `own_queue_name` makes them.
    Raises: SourceError and its kinds.
    """
    dead_letter_url = await _created(
        wire, f"{name}{DEAD_LETTER_SUFFIX}", {"MessageRetentionPeriod": str(_LONGEST_RETENTION_S)}
    )
    dead_letter_arn = await _arn(wire, dead_letter_url)
    # Known before the queue is there, so that it is never without its policy.
    arn = f"{dead_letter_arn.rpartition(':')[0]}:{name}"
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
    attributes = {
        "VisibilityTimeout": str(visibility_timeout_s),
        "MessageRetentionPeriod": str(_LONGEST_RETENTION_S),
        "RedrivePolicy": orjson.dumps(redrive).decode(),
        "Policy": _policy(arn, service, source_arn),
    }
    return OwnQueue(await _created(wire, name, attributes), arn)


async def delete_own_queue(wire: QueueSetup, url: str) -> None:
    """Delete the queue, and its dead-letter queue unless somebody has yet to look at what it holds.

    A queue that is gone already is fine. Raises: SourceError and its kinds.
    """
    name = url.rstrip("/").rpartition("/")[2]
    try:
        dead_letter_url = await wire.get_queue_url(f"{name}{DEAD_LETTER_SUFFIX}")
        held = _messages(await wire.get_queue_attributes(dead_letter_url))
    except QueueNotFound:
        dead_letter_url, held = "", 0
    await _deleted(wire, url)
    if held:
        _log.warning(telemetry.QUEUE_LEFT, queue=dead_letter_url, messages=held)
    elif dead_letter_url:
        await _deleted(wire, dead_letter_url)


async def _created(wire: QueueSetup, name: str, attributes: Mapping[str, str]) -> str:
    deadline = elapsed_s() + _PATIENCE_S
    while True:
        try:
            return await wire.create_queue(name, attributes)
        except SourceError as error:
            if error.code in _EXISTS:
                break
            if error.code not in _JUST_DELETED or elapsed_s() > deadline:
                raise
            _log.warning(telemetry.QUEUE_AWAITED, queue=name, error=str(error))
        await anyio.sleep(_ASK_AGAIN_S)
    url = await wire.get_queue_url(name)
    await wire.set_queue_attributes(url, attributes)
    return url


async def _deleted(wire: QueueSetup, url: str) -> None:
    try:
        await wire.delete_queue(url)
    except QueueNotFound:
        pass


async def _arn(wire: QueueSetup, url: str) -> str:
    arn = (await wire.get_queue_attributes(url)).get("QueueArn", "")
    if arn.count(":") != 5:
        raise SourceError(f"queue {url} tells no ARN, its QueueArn is {arn!r}: nothing can be made to send to it")
    return arn


def _messages(attributes: Mapping[str, str]) -> int:
    counted = ("", "NotVisible", "Delayed")
    return sum(int(attributes.get(f"ApproximateNumberOfMessages{which}", 0)) for which in counted)


def _policy(queue_arn: str, service: SendingService, source_arn: str) -> str:
    statement = {
        "Sid": "eventmap",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    return orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
