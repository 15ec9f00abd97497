"""BusTarget: where a rule sends an event, what it sends, and how long it tries (SRC-44..46)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.json_path import read_path
from eventmap.rules.bus.template import PREDEFINED, WHOLE_EVENT, Template, read_template

DEFAULT_RETRY_ATTEMPTS: Final = 185
DEFAULT_EVENT_AGE_S: Final = 86_400
TARGET_LIMIT: Final = 5
"""Targets of one rule."""

TargetKind = Literal["function", "queue", "topic", "bus"]

_ARN: Final = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12})?:(\S+)", re.ASCII)
_KINDS: Final[Mapping[str, tuple[TargetKind, str]]] = {
    "lambda": ("function", "function:"),
    "sqs": ("queue", ""),
    "sns": ("topic", ""),
    "events": ("bus", "event-bus/"),
}
_INPUTS: Final = ("Input", "InputPath", "InputTransformer")


@dataclass(frozen=True, slots=True, kw_only=True)
class BusTarget:
    """One target of a rule; None = not said. At most one of the three inputs is there."""

    target_id: str
    arn: str
    role_arn: str | None = None  #: without effect: nobody is asked for permission
    input: str | None = None  #: JSON text that is sent in place of the event
    input_path: str | None = None  #: of the part of the event that is sent
    input_template: str | None = None  #: text that is sent, filled from the event
    input_paths_map: Mapping[str, str] | None = None  #: the paths of the template's placeholders
    maximum_retry_attempts: int | None = None  #: attempts after the first; None = 185
    maximum_event_age_in_seconds: int | None = None  #: since the bus took the event; None = a day
    dead_letter_arn: str | None = None  #: a standard queue; None = what was given up is dropped
    message_group_id: str | None = None  #: of messages to a FIFO queue

    @property
    def kind(self) -> TargetKind:
        return _KINDS[self.arn.split(":")[2]][0]

    @property
    def retry_attempts(self) -> int:
        return DEFAULT_RETRY_ATTEMPTS if self.maximum_retry_attempts is None else self.maximum_retry_attempts

    @property
    def event_age_s(self) -> int:
        return DEFAULT_EVENT_AGE_S if self.maximum_event_age_in_seconds is None else self.maximum_event_age_in_seconds

    @property
    def template(self) -> Template | None:
        return None if self.input_template is None else read_template(self.input_template)


def read_target(given: Mapping[str, Any]) -> BusTarget:
    """Of PutTargets' shape. Raises: BusRefusal, in AWS' words where they are known."""
    target_id, arn = given["Id"], given["Arn"]
    policy, transformer = given.get("RetryPolicy") or {}, given.get("InputTransformer") or {}
    target = BusTarget(
        target_id=target_id,
        arn=arn,
        role_arn=given.get("RoleArn"),
        input=given.get("Input"),
        input_path=given.get("InputPath"),
        input_template=transformer.get("InputTemplate"),
        input_paths_map=transformer.get("InputPathsMap"),
        maximum_retry_attempts=policy.get("MaximumRetryAttempts"),
        maximum_event_age_in_seconds=policy.get("MaximumEventAgeInSeconds"),
        dead_letter_arn=(given.get("DeadLetterConfig") or {}).get("Arn"),
        message_group_id=(given.get("SqsParameters") or {}).get("MessageGroupId"),
    )
    _check_arn(arn)
    if sum(given.get(name) is not None for name in _INPUTS) > 1:
        raise _refused(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target_id}.")
    _check_input(target)
    _check_queues(target)
    return target


def target_document(target: BusTarget) -> JsonObject:
    """As ListTargetsByRule shows it: what was said, and nothing else."""
    transformer = {"InputPathsMap": target.input_paths_map, "InputTemplate": target.input_template}
    policy = {
        "MaximumRetryAttempts": target.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": target.maximum_event_age_in_seconds,
    }
    members: dict[str, Any] = {
        "Id": target.target_id,
        "Arn": target.arn,
        "RoleArn": target.role_arn,
        "Input": target.input,
        "InputPath": target.input_path,
        "InputTransformer": _said(transformer),
        "SqsParameters": _said({"MessageGroupId": target.message_group_id}),
        "DeadLetterConfig": _said({"Arn": target.dead_letter_arn}),
        "RetryPolicy": _said(policy),
    }
    return _said(members) or {}


def _said(members: Mapping[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in members.items() if value is not None} or None


def _check_arn(arn: str) -> None:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _refused(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    kind = _KINDS.get(match[1])
    if kind is None or not match[4].startswith(kind[1]) or not match[3]:
        raise _refused(
            f"Parameter {arn} is not valid. Reason: a target here is a function, a queue, a topic or an event bus."
        )


def _check_input(target: BusTarget) -> None:
    if target.kind == "bus" and (target.input or target.input_path or target.input_template) is not None:
        raise _refused(
            f"Target {target.target_id} is an event bus, which takes the event as it is: "
            "leave out Input, InputPath and InputTransformer."
        )
    if target.input is not None:
        try:
            orjson.loads(target.input)
        except orjson.JSONDecodeError:
            raise _refused(f"JSON syntax error in input for target {target.target_id}.") from None
    if target.input_path is not None:
        _check_path("InputPath", target.input_path, target)
    for name, path in (target.input_paths_map or {}).items():
        if name.lower().startswith("aws."):
            raise _refused(f"InputPathsMap for target {target.target_id} contains the reserved name {name}.")
        _check_path("InputPathsMap", path, target)
    if target.input_template is not None:
        _check_template(target, target.input_paths_map or {})


def _check_path(member: str, path: str, target: BusTarget) -> None:
    try:
        read_path(path)
    except ValueError as error:
        raise _refused(f"Invalid {member} for target {target.target_id} : {path} ({error}).") from None


def _check_template(target: BusTarget, paths: Mapping[str, str]) -> None:
    try:
        template = target.template
    except ValueError as error:
        raise _refused(f"Invalid InputTemplate for target {target.target_id} : {error}.") from None
    assert template is not None
    for name in template.names:
        if name not in paths and name not in PREDEFINED:
            raise _refused(f"InputTemplate for target {target.target_id} contains invalid placeholder {name}.")
        if name in WHOLE_EVENT and not template.is_object:
            raise _refused(
                f"InputTemplate for target {target.target_id} contains placeholder {name} valid only for JSON template."
            )


def _check_queues(target: BusTarget) -> None:
    is_fifo = target.kind == "queue" and target.arn.endswith(".fifo")
    if is_fifo and not target.message_group_id:
        raise _refused(f"Parameter(s) SqsParameters must be specified for target: {target.target_id}.")
    if not is_fifo and target.message_group_id is not None:
        raise _refused(f"Parameter(s) SqsParameters is only for a FIFO queue, which target {target.target_id} is not.")
    queue = target.dead_letter_arn
    if queue is not None and (
        not (match := _ARN.fullmatch(queue)) or match[1] != "sqs" or not match[3] or queue.endswith(".fifo")
    ):
        raise _refused(f"Parameter DeadLetterConfig.Arn is not valid. Reason: {queue} is not a standard SQS queue.")


def _refused(message: str) -> BusRefusal:
    return BusRefusal("ValidationException", message)
