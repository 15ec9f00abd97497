"""The triggers of a Cognito user pool: what calls each, what it is told, what it may answer (SRC-113..125)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject
from eventmap.rules.cognito.shapes import (
    Shape,
    flag,
    json_map,
    members,
    one_of,
    some_of,
    text,
    text_map,
    texts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """One trigger, under the name it has in a user pool's `LambdaConfig`."""

    name: str
    rule: str
    family: str = ""  #: what its trigger sources begin with; "" = its name
    occasions: tuple[str, ...]  #: what they end with
    request: JsonObject = field(default_factory=dict)  #: beside userAttributes, with values for a sample
    unset: JsonObject = field(default_factory=dict)  #: the `response` it is called with
    response: Mapping[str, Shape] = field(default_factory=dict)  #: what Cognito takes over from the answer
    has_user: bool = True  #: whether `request` has userAttributes
    is_answered: bool = True  #: False = an asynchronous notification (SRC-126)

    @property
    def trigger_sources(self) -> tuple[str, ...]:
        return tuple(f"{self.family or self.name}_{occasion}" for occasion in self.occasions)


def _details(claims: Shape, **more: Shape) -> Shape:
    return members({"claimsToAddOrOverride": claims, "claimsToSuppress": texts, **more})


_GROUPS: Final = members({"groupsToOverride": texts, "iamRolesToOverride": texts, "preferredRole": text})
_TOKEN: Final = _details(json_map, scopesToAdd=texts, scopesToSuppress=texts)
_SIGN_IN: Final = ("Authentication",)
_CODES: Final = ("SignUp", "AdminCreateUser", "ResendCode", "ForgotPassword", "UpdateUserAttribute")
_MESSAGES: Final = (*_CODES, "VerifyUserAttribute", "Authentication")
_GROUPS_OF_USER: Final[JsonObject] = {
    "groupConfiguration": {"groupsToOverride": [], "iamRolesToOverride": [], "preferredRole": None}
}
_SESSION: Final[JsonObject] = {
    "session": [{"challengeName": "SRP_A", "challengeResult": True, "challengeMetadata": None}],
    "userNotFound": False,
}

TRIGGERS: Final = (
    Trigger(
        name="PreSignUp",
        rule="SRC-113",
        occasions=("SignUp", "AdminCreateUser", "ExternalProvider"),
        request={"validationData": None},
        unset={"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
        response={"autoConfirmUser": flag, "autoVerifyEmail": flag, "autoVerifyPhone": flag},
    ),
    Trigger(name="PostConfirmation", rule="SRC-114", occasions=("ConfirmSignUp", "ConfirmForgotPassword")),
    Trigger(
        name="PreAuthentication",
        rule="SRC-115",
        occasions=_SIGN_IN,
        request={"validationData": None, "userNotFound": False},
    ),
    Trigger(name="PostAuthentication", rule="SRC-116", occasions=_SIGN_IN, request={"newDeviceUsed": False}),
    Trigger(
        name="PreTokenGeneration",
        rule="SRC-117",
        family="TokenGeneration",
        occasions=(
            "HostedAuth",
            "Authentication",
            "NewPasswordChallenge",
            "AuthenticateDevice",
            "RefreshTokens",
            "ClientCredentials",
        ),
        request=_GROUPS_OF_USER,
        unset={"claimsOverrideDetails": None},
        response={"claimsOverrideDetails": _details(text_map, groupOverrideDetails=_GROUPS)},
    ),
    Trigger(
        name="CustomMessage",
        rule="SRC-118",
        occasions=_MESSAGES,
        request={"codeParameter": "{####}", "linkParameter": "{##Click Here##}", "usernameParameter": None},
        unset={"smsMessage": None, "emailMessage": None, "emailSubject": None},
        response={"smsMessage": text, "emailMessage": text, "emailSubject": text},
    ),
    Trigger(
        name="DefineAuthChallenge",
        rule="SRC-119",
        occasions=_SIGN_IN,
        request=_SESSION,
        unset={"challengeName": None, "issueTokens": None, "failAuthentication": None},
        response={"challengeName": text, "issueTokens": flag, "failAuthentication": flag},
    ),
    Trigger(
        name="CreateAuthChallenge",
        rule="SRC-120",
        occasions=_SIGN_IN,
        request={"challengeName": "CUSTOM_CHALLENGE", **_SESSION},
        unset={"publicChallengeParameters": None, "privateChallengeParameters": None, "challengeMetadata": None},
        response={
            "publicChallengeParameters": text_map,
            "privateChallengeParameters": text_map,
            "challengeMetadata": text,
        },
    ),
    Trigger(
        name="VerifyAuthChallengeResponse",
        rule="SRC-121",
        occasions=_SIGN_IN,
        request={"privateChallengeParameters": {"answer": "7"}, "challengeAnswer": "7", "userNotFound": False},
        unset={"answerCorrect": None},
        response={"answerCorrect": flag},
    ),
    Trigger(
        name="UserMigration",
        rule="SRC-122",
        occasions=("Authentication", "ForgotPassword"),
        request={"password": "correct horse", "validationData": None},
        has_user=False,
        unset={
            "userAttributes": None,
            "finalUserStatus": None,
            "messageAction": None,
            "desiredDeliveryMediums": None,
            "forceAliasCreation": None,
            "enableSMSMFA": None,
        },
        response={
            "userAttributes": text_map,
            "finalUserStatus": one_of("CONFIRMED", "RESET_REQUIRED"),
            "messageAction": one_of("SUPPRESS"),
            "desiredDeliveryMediums": some_of("EMAIL", "SMS"),
            "forceAliasCreation": flag,
            "enableSMSMFA": flag,
        },
    ),
    Trigger(
        name="CustomEmailSender",
        rule="SRC-123",
        occasions=(*_MESSAGES, "AccountTakeOverNotification"),
        request={"type": "customEmailSenderRequestV1", "code": "AYADeAbcdefg0123456789=="},
        is_answered=False,
    ),
    Trigger(
        name="CustomSMSSender",
        rule="SRC-124",
        occasions=_MESSAGES,
        request={"type": "customSMSSenderRequestV1", "code": "AYADeAbcdefg0123456789=="},
        is_answered=False,
    ),
    Trigger(
        name="InboundFederation",
        rule="SRC-125",
        occasions=("ExternalProvider",),
        request={
            "providerName": "Corporate",
            "providerType": "OIDC",
            "attributes": {
                "tokenResponse": {"token_type": "Bearer"},
                "idToken": {"sub": "248289761001", "email": "ada@example.com"},
                "userInfo": {"sub": "248289761001", "email": "ada@example.com"},
            },
        },
        has_user=False,
        unset={"userAttributesToMap": {}},
        response={"userAttributesToMap": text_map},
    ),
)

NEWER_TOKENS: Final = Trigger(
    name="PreTokenGeneration",
    rule="SRC-117",
    family="TokenGeneration",
    occasions=next(trigger.occasions for trigger in TRIGGERS if trigger.name == "PreTokenGeneration"),
    request={**_GROUPS_OF_USER, "scopes": ["openid", "email"]},
    unset={"claimsAndScopeOverrideDetails": None},
    response={
        "claimsAndScopeOverrideDetails": members(
            {"idTokenGeneration": _TOKEN, "accessTokenGeneration": _TOKEN, "groupOverrideDetails": _GROUPS}
        )
    },
)
"""PreTokenGeneration as V2_0 and V3_0 have it, where an event's `version` is 2 or 3."""

TRIGGER_SOURCES: Final = tuple(source for trigger in TRIGGERS for source in trigger.trigger_sources)
_BY_SOURCE: Final = {source: trigger for trigger in TRIGGERS for source in trigger.trigger_sources}


def trigger_of(trigger_source: object, version: object = "1") -> Trigger:
    """Raises: InvalidParameterValue for a trigger source that there is not."""
    trigger = _BY_SOURCE.get(trigger_source) if isinstance(trigger_source, str) else None
    if trigger is None:
        raise InvalidParameterValue(
            f"triggerSource {trigger_source!r} is none of Cognito's; there are {', '.join(TRIGGER_SOURCES)}"
        )
    return NEWER_TOKENS if trigger.name == NEWER_TOKENS.name and version in ("2", "3") else trigger
