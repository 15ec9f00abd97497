"""The events of a user pool's triggers: shapes, versions, what may be said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import cognito_user_pool_event as powertools
from aws_lambda_powertools.utilities.data_classes.common import DictWrapper

from eventmap.errors import InvalidParameterValue
from eventmap.rules.cognito import TRIGGER_SOURCES, TRIGGERS, Trigger, sample, trigger_of

COMMON = {"version", "triggerSource", "region", "userPoolId", "userName", "callerContext", "request", "response"}

SHAPES: dict[str, tuple[str, set[str], set[str]]] = {
    "PreSignUp_SignUp": ("SRC-113", {"validationData"}, {"autoConfirmUser", "autoVerifyEmail", "autoVerifyPhone"}),
    "PostConfirmation_ConfirmForgotPassword": ("SRC-114", set(), set()),
    "PreAuthentication_Authentication": ("SRC-115", {"validationData", "userNotFound"}, set()),
    "PostAuthentication_Authentication": ("SRC-116", {"newDeviceUsed"}, set()),
    "TokenGeneration_HostedAuth": ("SRC-117", {"groupConfiguration"}, {"claimsOverrideDetails"}),
    "CustomMessage_SignUp": (
        "SRC-118",
        {"codeParameter", "usernameParameter", "linkParameter"},
        {"smsMessage", "emailMessage", "emailSubject"},
    ),
    "DefineAuthChallenge_Authentication": (
        "SRC-119",
        {"session", "userNotFound"},
        {"challengeName", "issueTokens", "failAuthentication"},
    ),
    "CreateAuthChallenge_Authentication": (
        "SRC-120",
        {"challengeName", "session", "userNotFound"},
        {"publicChallengeParameters", "privateChallengeParameters", "challengeMetadata"},
    ),
    "VerifyAuthChallengeResponse_Authentication": (
        "SRC-121",
        {"privateChallengeParameters", "challengeAnswer", "userNotFound"},
        {"answerCorrect"},
    ),
    "UserMigration_ForgotPassword": (
        "SRC-122",
        {"password", "validationData"},
        {
            "userAttributes",
            "finalUserStatus",
            "messageAction",
            "desiredDeliveryMediums",
            "forceAliasCreation",
            "enableSMSMFA",
        },
    ),
    "CustomEmailSender_AccountTakeOverNotification": ("SRC-123", {"type", "code"}, set()),
    "CustomSMSSender_Authentication": ("SRC-124", {"type", "code"}, set()),
    "InboundFederation_ExternalProvider": (
        "SRC-125",
        {"providerName", "providerType", "attributes"},
        {"userAttributesToMap"},
    ),
}

OCCASIONS = [
    ("PreSignUp", "SignUp AdminCreateUser ExternalProvider"),
    ("PostConfirmation", "ConfirmSignUp ConfirmForgotPassword"),
    ("PreAuthentication", "Authentication"),
    ("PostAuthentication", "Authentication"),
    (
        "TokenGeneration",
        "HostedAuth Authentication NewPasswordChallenge AuthenticateDevice RefreshTokens ClientCredentials",
    ),
    (
        "CustomMessage",
        "SignUp AdminCreateUser ResendCode ForgotPassword UpdateUserAttribute VerifyUserAttribute Authentication",
    ),
    ("DefineAuthChallenge", "Authentication"),
    ("CreateAuthChallenge", "Authentication"),
    ("VerifyAuthChallengeResponse", "Authentication"),
    ("UserMigration", "Authentication ForgotPassword"),
    (
        "CustomEmailSender",
        "SignUp AdminCreateUser ResendCode ForgotPassword UpdateUserAttribute VerifyUserAttribute Authentication "
        "AccountTakeOverNotification",
    ),
    (
        "CustomSMSSender",
        "SignUp AdminCreateUser ResendCode ForgotPassword UpdateUserAttribute VerifyUserAttribute Authentication",
    ),
    ("InboundFederation", "ExternalProvider"),
]


def test_src_113_to_125_every_trigger_has_a_shape_here() -> None:
    """No trigger, and no rule, without a row of the table above."""
    assert {trigger.name for trigger in TRIGGERS} == {trigger_of(source).name for source in SHAPES}
    assert [f"SRC-{number}" for number in range(113, 126)] == [rule for rule, _, _ in SHAPES.values()]
    assert {trigger.name: trigger.rule for trigger in TRIGGERS} == {
        trigger_of(source).name: rule for source, (rule, _, _) in SHAPES.items()
    }
    assert tuple(f"{family}_{each}" for family, occasions in OCCASIONS for each in occasions.split()) == TRIGGER_SOURCES


@pytest.mark.parametrize("trigger_source", SHAPES)
def test_src_113_to_125_a_trigger_is_told_its_extras_and_may_fill_its_keys(trigger_source: str) -> None:
    """The request beside what all have, and the response as it comes."""
    _, extras, keys = SHAPES[trigger_source]

    event = sample(trigger_source)

    assert set(event["request"]) - {"userAttributes", "clientMetadata"} == extras  # type: ignore[arg-type]
    assert set(event["response"]) == keys == set(trigger_of(trigger_source).response)  # type: ignore[arg-type]


@pytest.mark.parametrize("trigger_source", TRIGGER_SOURCES)
def test_src_110_every_event_has_the_common_shape(trigger_source: str) -> None:
    """Its eight members; a user where there is one; a fresh document each time."""
    event = sample(trigger_source)

    assert set(event) == COMMON
    assert event["triggerSource"] == trigger_source
    assert set(event["callerContext"]) == {"awsSdkVersion", "clientId"}  # type: ignore[arg-type]
    without_user = trigger_source.startswith(("UserMigration", "InboundFederation")) or (
        trigger_source == "TokenGeneration_ClientCredentials"
    )
    assert ("userAttributes" in event["request"]) is not without_user  # type: ignore[operator]
    event["request"].clear()  # type: ignore[union-attr]
    event["response"]["x"] = 1  # type: ignore[index, call-overload]
    assert sample(trigger_source)["request"]
    assert "x" not in sample(trigger_source)["response"]  # type: ignore[operator]


@pytest.mark.parametrize("version", ["2", "3"])
def test_src_117_newer_tokens_have_scopes(version: str) -> None:
    """V2 and V3: scopes in, claims and scopes out; a machine's token is V3, and of no user."""
    event: Any = sample("TokenGeneration_Authentication", version=version)
    machine: Any = sample("TokenGeneration_ClientCredentials")

    assert event["version"] == version
    assert "scopes" in event["request"] and event["response"] == {"claimsAndScopeOverrideDetails": None}
    assert machine["version"] == "3" and machine["userName"] == machine["callerContext"]["clientId"]
    assert set(machine["request"]) == {"scopes", "clientMetadata"}


def test_src_110_what_a_caller_says_is_in_the_event() -> None:
    """Who, where, and any member of the request."""
    event: Any = sample(
        "PreSignUp_SignUp",
        region="eu-west-1",
        user_name="bob",
        client_id="web",
        user_attributes={"email": "bob@example.org"},
        request={"clientMetadata": {"invited": "yes"}},
    )

    assert event == {
        "version": "1",
        "triggerSource": "PreSignUp_SignUp",
        "region": "eu-west-1",
        "userPoolId": "eu-west-1_aX9fo84QN",
        "userName": "bob",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "web"},
        "request": {
            "userAttributes": {"email": "bob@example.org"},
            "validationData": None,
            "clientMetadata": {"invited": "yes"},
        },
        "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"trigger_source": "PreSignUp_Signup"}, "'PreSignUp_Signup' is none of Cognito's; there are PreSignUp_SignUp"),
        ({"trigger_source": "PreSignUp_SignUp", "version": "2"}, "version '2' is none of PreSignUp's events"),
        ({"trigger_source": "TokenGeneration_HostedAuth", "version": "4"}, "write 1 or 2 or 3"),
        ({"trigger_source": "TokenGeneration_ClientCredentials", "version": "1"}, "write 3"),
        ({"trigger_source": "UserMigration_Authentication", "user_attributes": {}}, "has no userAttributes"),
    ],
)
def test_what_there_is_not_is_refused(arguments: dict[str, Any], reason: str) -> None:
    """With what to write instead."""
    with pytest.raises(InvalidParameterValue, match=reason):
        sample(**arguments)


READERS = {
    "PreSignUp": powertools.PreSignUpTriggerEvent,
    "PostConfirmation": powertools.PostConfirmationTriggerEvent,
    "PreAuthentication": powertools.PreAuthenticationTriggerEvent,
    "PostAuthentication": powertools.PostAuthenticationTriggerEvent,
    "PreTokenGeneration": powertools.PreTokenGenerationTriggerEvent,
    "CustomMessage": powertools.CustomMessageTriggerEvent,
    "DefineAuthChallenge": powertools.DefineAuthChallengeTriggerEvent,
    "CreateAuthChallenge": powertools.CreateAuthChallengeTriggerEvent,
    "VerifyAuthChallengeResponse": powertools.VerifyAuthChallengeResponseTriggerEvent,
    "UserMigration": powertools.UserMigrationTriggerEvent,
    "CustomEmailSender": powertools.CustomEmailSenderTriggerEvent,
    "CustomSMSSender": powertools.CustomSMSSenderTriggerEvent,
}
UNREAD = {"InboundFederation"}  # newer than the library


def read_all(value: object, found: dict[str, object], path: str = "") -> None:
    """Every property of a data class, and of those it leads to."""
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, DictWrapper):
            continue
        for name in (name for kind in type(each).__mro__ for name, it in vars(kind).items() if type(it) is property):
            if name not in ("raw_event", "json_body"):
                found[f"{path}{name}"] = getattr(each, name)
                read_all(found[f"{path}{name}"], found, f"{path}{name}.")


@pytest.mark.parametrize("trigger_source", TRIGGER_SOURCES)
def test_src_110_powertools_reads_every_sample(trigger_source: str) -> None:
    """Each property of its data class finds what it looks for."""
    trigger = trigger_of(trigger_source)
    if trigger.name in UNREAD:
        assert not any(trigger.name in name for name in dir(powertools)), "the library knows it now: read it here"
        return
    versions = ("3",) if trigger_source.endswith("ClientCredentials") else ("1",)
    if trigger.name == "PreTokenGeneration" and versions == ("1",):
        versions = ("1", "2", "3")
    for version in versions:
        kind = READERS[trigger.name] if version == "1" else powertools.PreTokenGenerationV2TriggerEvent
        event: Any = sample(trigger_source, version=version)
        if trigger_source.endswith("ClientCredentials"):
            event["request"]["groupConfiguration"] = {}  # the data class wants one, of a token without a user too
        found: dict[str, object] = {}

        read_all(kind(event), found)

        assert found["trigger_source"] == trigger_source and found["version"] == version
        if trigger.has_user and not trigger_source.endswith("ClientCredentials"):
            assert found["request.user_attributes"] == event["request"]["userAttributes"]
        if version != "1":
            assert found["request.scopes"] == ["openid", "email"]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.name)
def test_the_page_about_triggers_has_each(trigger: Trigger) -> None:
    """Its trigger sources, and the keys of its response."""
    page = (Path(__file__).parents[3] / "docs/cognito.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| `{trigger.name}` |")]

    assert all(f"`{each}`" in row for each in (*trigger.occasions, *trigger.response))
