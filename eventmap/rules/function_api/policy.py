"""Resource policies of functions: kept and shown for the tools that write them; nothing is decided by them here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from eventmap.function import LATEST
from eventmap.model import JsonObject
from eventmap.rules.function_api import reading
from eventmap.rules.function_api.changes import ChangeRefused, Occasion, check_revision
from eventmap.rules.function_api.recorded import RecordedFunction

_SID: Final = r"([a-zA-Z0-9-_]+)"
_ACTION: Final = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"
_MEMBERS: Final = (
    *("StatementId", "Action", "Principal", "SourceArn", "SourceAccount", "EventSourceToken", "PrincipalOrgID"),
    *("RevisionId", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "FunctionName", "Qualifier"),
)


def permission_added(
    recorded: RecordedFunction, qualifier: str, body: JsonObject, occasion: Occasion
) -> tuple[RecordedFunction, JsonObject]:
    """(with the statement, the statement). Raises: ChangeRefused, InvalidParameterValue."""
    reading.known(body, _MEMBERS)
    current = recorded.policies.get(qualifier or LATEST, {"RevisionId": "", "Statements": []})
    check_revision(body, current["RevisionId"], "GetPolicy")
    sid = reading.required(reading.text(body, "StatementId", longest=100, pattern=_SID), "StatementId")
    if any(each["Sid"] == sid for each in current["Statements"]):
        raise ChangeRefused(
            409,
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
            "existing statement.",
        )
    statement: JsonObject = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": _principal(reading.required(reading.text(body, "Principal", pattern=r"[^\s]+"), "Principal")),
        "Action": reading.required(reading.text(body, "Action", pattern=_ACTION), "Action"),
        "Resource": f"{occasion.arn}:{qualifier}" if qualifier else occasion.arn,
    }
    if conditions := _conditions(body):
        statement["Condition"] = conditions
    return _with(recorded, qualifier, [*current["Statements"], statement], occasion), statement


def permission_removed(
    recorded: RecordedFunction, qualifier: str, sid: str, query: Mapping[str, Any], occasion: Occasion
) -> RecordedFunction:
    """Raises: ChangeRefused."""
    policy = found_policy(recorded, qualifier)
    left = [each for each in policy["Statements"] if each["Sid"] != sid]
    if len(left) == len(policy["Statements"]):
        raise ChangeRefused(404, "ResourceNotFoundException", f"Statement {sid} is not found in resource policy.")
    check_revision(query, policy["RevisionId"], "GetPolicy")
    return _with(recorded, qualifier, left, occasion)


def found_policy(recorded: RecordedFunction, qualifier: str) -> Mapping[str, Any]:
    """Raises: ChangeRefused if it has none."""
    policy = recorded.policies.get(qualifier or LATEST)
    if policy is None:
        raise ChangeRefused(404, "ResourceNotFoundException", "The resource you requested does not exist.")
    return policy


def shown_policy(policy: Mapping[str, Any]) -> JsonObject:
    """GetPolicy's answer."""
    document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["Statements"]}
    return {"Policy": orjson.dumps(document).decode(), "RevisionId": policy["RevisionId"]}


def _with(
    recorded: RecordedFunction, qualifier: str, statements: list[JsonObject], occasion: Occasion
) -> RecordedFunction:
    policies = {each: policy for each, policy in recorded.policies.items() if each != (qualifier or LATEST)}
    if statements:
        policies[qualifier or LATEST] = {"RevisionId": occasion.revision_id, "Statements": statements}
    return replace(recorded, policies=policies)


def _principal(given: str) -> JsonObject | str:
    """As AWS writes it into the statement: services by their host, accounts by the ARN of their root."""
    if given == "*":
        return given
    if given.endswith((".amazonaws.com", ".amazon.com")):
        return {"Service": given}
    return {"AWS": f"arn:aws:iam::{given}:root" if given.isdecimal() else given}


def _conditions(body: JsonObject) -> JsonObject:
    conditions: dict[str, Any] = {}
    equal = {
        "AWS:SourceAccount": reading.text(body, "SourceAccount", pattern=r"\d{12}"),
        "lambda:EventSourceToken": reading.text(body, "EventSourceToken", longest=256),
        "aws:PrincipalOrgID": reading.text(body, "PrincipalOrgID"),
        "lambda:FunctionUrlAuthType": reading.choice(body, "FunctionUrlAuthType", ("NONE", "AWS_IAM")),
    }
    if named := {key: value for key, value in equal.items() if value}:
        conditions["StringEquals"] = named
    if arn := reading.text(body, "SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": arn}
    if reading.truth(body, "InvokedViaFunctionUrl"):
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": "true"}
    return conditions
