"""Events of a user pool's triggers, as Cognito sends them (SRC-110)."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.cognito.triggers import trigger_of

_SUB: Final = "a1b2c3d4-5678-4abc-9def-000000000001"
_UNCONFIRMED: Final = ("SignUp", "ResendCode")
_FROM_ADMIN: Final = "CLIENT_ID_NOT_APPLICABLE"  # no client was involved
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
    from_machine = trigger_source == "TokenGeneration_ClientCredentials"
    version = version or ("3" if from_machine else "1")
    trigger = trigger_of(trigger_source, version)
    _check_version(trigger.name, version, from_machine=from_machine)
    occasion = trigger_source.rpartition("_")[2]
    has_user = trigger.has_user and not from_machine
    if user_attributes is not None and not has_user:
        raise InvalidParameterValue(f"{trigger_source} has no userAttributes in its request")
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
    if client_id is None:
        client_id = _FROM_ADMIN if occasion == "AdminCreateUser" else "4e6phhh81h477b54ns9vfc5ahv"
    event: JsonObject = {
        "version": version,
        "triggerSource": trigger_source,
        "region": region,
        "userPoolId": user_pool_id or f"{region}_aX9fo84QN",
        "userName": client_id if from_machine else user_name,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
        "request": {**told, **(request or {})},
        "response": trigger.unset,
    }
    return deepcopy(event)


def _check_version(trigger: str, version: str, *, from_machine: bool) -> None:
    allowed = ("1",) if trigger != "PreTokenGeneration" else ("3",) if from_machine else ("1", "2", "3")
    if version not in allowed:
        raise InvalidParameterValue(f"version {version!r} is none of {trigger}'s events: write {' or '.join(allowed)}")


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
