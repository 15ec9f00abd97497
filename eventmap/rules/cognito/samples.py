"""Events of a user pool's triggers, as Cognito sends them (SRC-110)."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.cognito.triggers import Trigger, trigger_of

_SUB: Final = "a1b2c3d4-5678-4abc-9def-000000000001"
_UNCONFIRMED: Final = ("SignUp", "ResendCode")
_NO_CLIENT: Final = "CLIENT_ID_NOT_APPLICABLE"
_OF_A_MACHINE: Final = "TokenGeneration_ClientCredentials"
_TAKE_OVER: Final[JsonObject] = {
    "EVENT_ID": "a1b2c3d4-5678-4abc-9def-000000000002",
    "USER_NAME": "ada",
    "IP_ADDRESS": "192.0.2.7",
    "ACCOUNT_TAKE_OVER_ACTION": "NO_ACTION",
    "ONE_CLICK_LINK_VALID": "https://example.com/yes",
    "ONE_CLICK_LINK_INVALID": "https://example.com/no",
    "LOGIN_TIME": "Thu Jan 01 12:00:00 UTC 2026",
    "FEEDBACK_TOKEN": "feedback",
}


def sample(
    trigger_source: str,
    *,
    version: str | None = None,
    region: str = "us-east-1",
    user_pool_id: str | None = None,
    user_name: str = "ada",
    client_id: str | None = None,
    user_attributes: JsonObject | None = None,
    request: JsonObject | None = None,
) -> JsonObject:
    """The event of one trigger source, ready to be handed to a handler.

    `version` matters to PreTokenGeneration only: "1", the default, or "2" and "3", which have scopes. `user_attributes`
    replace the sample's, `request` members join or replace it: `sample("PreSignUp_SignUp", request={"clientMetadata":
    {"invited": "yes"}})`.
    Raises: InvalidParameterValue for a trigger source or a version that there is not, and for attributes of a user
    where there is none.
    """
    version = version or ("3" if trigger_source == _OF_A_MACHINE else "1")
    trigger = trigger_of(trigger_source, version)
    _check_version(trigger_source, trigger, version)
    occasion = trigger_source.rpartition("_")[2]
    if client_id is None:
        client_id = _NO_CLIENT if occasion == "AdminCreateUser" else "4e6phhh81h477b54ns9vfc5ahv"
    event: JsonObject = {
        "version": version,
        "triggerSource": trigger_source,
        "region": region,
        "userPoolId": user_pool_id or f"{region}_aX9fo84QN",
        "userName": client_id if trigger_source == _OF_A_MACHINE else user_name,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": {**_request(trigger, occasion, user_attributes), **(request or {})},
        "response": trigger.unset,
    }
    return deepcopy(event)


def _check_version(trigger_source: str, trigger: Trigger, version: str) -> None:
    allowed = ["1", "2", "3"] if trigger.name == "PreTokenGeneration" else ["1"]
    if trigger_source == _OF_A_MACHINE:
        allowed = ["3"]
    if version not in allowed:
        raise InvalidParameterValue(
            f"version {version!r} is none of {trigger.name}'s events: write {' or '.join(allowed)}"
        )


def _request(trigger: Trigger, occasion: str, user_attributes: JsonObject | None) -> JsonObject:
    from_machine = occasion == "ClientCredentials"
    has_user = trigger.has_user and not from_machine
    if user_attributes is not None and not has_user:
        raise InvalidParameterValue(f"a request of {trigger.name} at {occasion} has no userAttributes")
    told: JsonObject = {}
    if has_user:
        told["userAttributes"] = _attributes(trigger.name, occasion) if user_attributes is None else user_attributes
    told |= trigger.request
    if from_machine:
        del told["groupConfiguration"]
    if trigger.name != "InboundFederation":
        told["clientMetadata"] = None
    if trigger.name == "CustomMessage" and occasion == "AdminCreateUser":
        told["usernameParameter"] = "{username}"
    if occasion == "AccountTakeOverNotification":
        told["code"] = None
    return told


def _attributes(trigger: str, occasion: str) -> JsonObject:
    """A user as far as there is one: before the sign-up, only what the client said."""
    if occasion == "AccountTakeOverNotification":
        return _TAKE_OVER
    if trigger == "PreSignUp":
        return {"email": "ada@example.com"}
    is_new = occasion in _UNCONFIRMED
    status: JsonValue = "UNCONFIRMED" if is_new else "CONFIRMED"
    if occasion in ("AdminCreateUser", "NewPasswordChallenge"):
        status = "FORCE_CHANGE_PASSWORD"
    return {
        "sub": _SUB,
        "email_verified": "false" if is_new else "true",
        "cognito:user_status": status,
        "email": "ada@example.com",
    }
