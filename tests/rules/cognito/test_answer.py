"""What Cognito makes of the end of a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventmap.errors import (
    InvalidLambdaResponseException,
    InvalidParameterValue,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)
from eventmap.model import FunctionError, Refused, Returned
from eventmap.rules.cognito import ATTEMPTS, LIMIT_S, is_repeated, response_of, sample


def returned(document: object) -> Returned:
    return Returned(json.dumps(document).encode())


def answered(trigger_source: str, version: str = "1", **response: Any) -> dict[str, Any]:
    event: Any = sample(trigger_source, version=version)
    return response_of(event, returned({**event, "response": {**event["response"], **response}}))


def failed(**error: str) -> FunctionError:
    return FunctionError(json.dumps(error).encode(), "Error")


FILLED: list[tuple[str, str, dict[str, Any]]] = [
    ("PreSignUp_SignUp", "1", {"autoConfirmUser": True, "autoVerifyEmail": True, "autoVerifyPhone": None}),
    ("TokenGeneration_HostedAuth", "1", {"claimsOverrideDetails": {
        "claimsToAddOrOverride": {"tenant": "7"}, "claimsToSuppress": ["email"],
        "groupOverrideDetails": {"groupsToOverride": ["a"], "iamRolesToOverride": [], "preferredRole": None}}}),
    ("TokenGeneration_HostedAuth", "2", {"claimsAndScopeOverrideDetails": {
        "idTokenGeneration": {"claimsToAddOrOverride": {"roles": ["a", {"b": 1}]}},
        "accessTokenGeneration": {"scopesToAdd": ["orders/read"], "scopesToSuppress": ["email"]},
        "groupOverrideDetails": {"preferredRole": "arn:aws:iam::1:role/x"}}}),
    ("CustomMessage_SignUp", "1", {"smsMessage": "{####}", "emailMessage": "<b>{####}</b>", "emailSubject": "hi"}),
    ("DefineAuthChallenge_Authentication", "1",
     {"challengeName": "CUSTOM_CHALLENGE", "issueTokens": False, "failAuthentication": False}),
    ("CreateAuthChallenge_Authentication", "1", {"publicChallengeParameters": {"question": "3+4"},
     "privateChallengeParameters": {"answer": "7"}, "challengeMetadata": "SUM"}),
    ("VerifyAuthChallengeResponse_Authentication", "1", {"answerCorrect": True}),
    ("UserMigration_Authentication", "1", {
        "userAttributes": {"email": "ada@example.com"}, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS",
        "desiredDeliveryMediums": ["EMAIL", "SMS"], "forceAliasCreation": True, "enableSMSMFA": False}),
    ("InboundFederation_ExternalProvider", "1", {"userAttributesToMap": {"email": "ada@example.com"}}),
]  # fmt: skip


@pytest.mark.parametrize(("trigger_source", "version", "response"), FILLED)
def test_src_113_to_125_a_filled_response_is_taken_over(
    trigger_source: str, version: str, response: dict[str, Any]
) -> None:
    """Whole; what no trigger knows stays behind."""
    assert answered(trigger_source, version, **response) == response
    assert answered(trigger_source, version, **response, autoconfirmuser=True) == response


@pytest.mark.parametrize(
    "trigger_source", ["PostConfirmation_ConfirmSignUp", "PostAuthentication_Authentication", "PreSignUp_SignUp"]
)
def test_src_127_an_event_may_come_back_as_it_went(trigger_source: str) -> None:
    """Unchanged is an answer."""
    assert answered(trigger_source) == sample(trigger_source)["response"]


MISSHAPEN: list[tuple[str, str, str, object]] = [
    ("PreSignUp_SignUp", "1", "autoConfirmUser", "true"),
    ("PreSignUp_SignUp", "1", "autoVerifyEmail", 1),
    ("CustomMessage_SignUp", "1", "emailMessage", ["x"]),
    ("DefineAuthChallenge_Authentication", "1", "issueTokens", {"x": 1}),
    ("CreateAuthChallenge_Authentication", "1", "publicChallengeParameters", {"question": 7}),
    ("CreateAuthChallenge_Authentication", "1", "privateChallengeParameters", "7"),
    ("UserMigration_Authentication", "1", "finalUserStatus", "ARCHIVED"),
    ("UserMigration_Authentication", "1", "messageAction", "RESEND"),
    ("UserMigration_Authentication", "1", "desiredDeliveryMediums", ["FAX"]),
    ("UserMigration_Authentication", "1", "desiredDeliveryMediums", "SMS"),
    ("TokenGeneration_HostedAuth", "1", "claimsOverrideDetails", {"claimsToAddOrOverride": {"n": 1}}),
    ("TokenGeneration_HostedAuth", "1", "claimsOverrideDetails", {"claimsToSuppress": "email"}),
    ("TokenGeneration_HostedAuth", "1", "claimsOverrideDetails", {"groupOverrideDetails": {"preferredRole": 1}}),
    ("TokenGeneration_HostedAuth", "3", "claimsAndScopeOverrideDetails", {"accessTokenGeneration": []}),
    ("TokenGeneration_HostedAuth", "2", "claimsAndScopeOverrideDetails", {"idTokenGeneration": {"scopesToAdd": [1]}}),
    ("InboundFederation_ExternalProvider", "1", "userAttributesToMap", {"email": None}),
]


@pytest.mark.parametrize(("trigger_source", "version", "name", "value"), MISSHAPEN)
def test_src_112_a_value_of_another_shape_is_an_invalid_response(
    trigger_source: str, version: str, name: str, value: object
) -> None:
    """AWS' words, then the key; of the value only its kind, for it may be somebody's."""
    with pytest.raises(InvalidLambdaResponseException, match=rf"^Unrecognizable lambda output: .* has {name} = "):
        answered(trigger_source, version, **{name: value})


OTHER_ANSWERS: list[tuple[object, str]] = [
    (None, "it is null, not the event"),
    ("ok", "it is a string, not the event"),
    ([1], "it is a list, not the event"),
    (7, "it is a number, not the event"),
    ({}, "its version is not the event's"),
    ({"response": {"autoConfirmUser": True}}, "its version is not the event's"),
    ({**sample("PreSignUp_SignUp"), "userName": "bob"}, "its userName is not the event's"),
    ({**sample("PreSignUp_SignUp"), "triggerSource": "PreSignUp_AdminCreateUser"}, "its triggerSource is not"),
    ({**sample("PreSignUp_SignUp"), "callerContext": {}}, "its callerContext is not the event's"),
    ({**sample("PreSignUp_SignUp"), "request": None}, "its request is not the event's"),
    ({**sample("PreSignUp_SignUp"), "response": None}, "its response is null, not an object"),
    ({**sample("PreSignUp_SignUp"), "response": True}, "its response is true, not an object"),
    ({name: value for name, value in sample("PreSignUp_SignUp").items() if name != "response"}, "its response is null"),
]


@pytest.mark.parametrize(("answer", "reason"), OTHER_ANSWERS)
def test_src_110_an_answer_that_is_not_the_event_fails_the_flow(answer: object, reason: str) -> None:
    """The event has to come back, with a response in it."""
    with pytest.raises(InvalidLambdaResponseException) as refused:
        response_of(sample("PreSignUp_SignUp"), returned(answer))

    assert str(refused.value).startswith(f"Unrecognizable lambda output: {reason}")


def test_src_110_a_handler_may_take_something_out_of_the_request() -> None:
    """A password that was looked at need not travel back."""
    event: Any = sample("UserMigration_Authentication")
    answer = {**event, "request": {}, "response": {"userAttributes": {"email": "ada@example.com"}}}

    assert response_of(event, returned(answer)) == {"userAttributes": {"email": "ada@example.com"}}


@pytest.mark.parametrize(
    ("trigger_source", "error", "text"),
    [
        ("PreSignUp_SignUp", {"errorMessage": "no", "errorType": "ValueError"}, "PreSignUp failed with error no."),
        ("TokenGeneration_HostedAuth", {"errorMessage": "no"}, "PreTokenGeneration failed with error no."),
        ("PreSignUp_SignUp", {"errorMessage": "", "errorType": "KeyError"}, "PreSignUp failed with error KeyError."),
    ],
)
def test_src_112_an_error_of_the_function_reaches_the_client(
    trigger_source: str, error: dict[str, str], text: str
) -> None:
    """As UserLambdaValidationException, under the name of the trigger; without a message, the type."""
    with pytest.raises(UserLambdaValidationException) as refused:
        response_of(sample(trigger_source), failed(**error))

    assert str(refused.value) == text


def test_src_112_a_call_that_never_ended_is_unexpected() -> None:
    """AWS' words for too slow; for one that could not start, its reason."""
    with pytest.raises(UnexpectedLambdaException) as slow:
        response_of(sample("PreSignUp_SignUp"), None)
    with pytest.raises(UnexpectedLambdaException) as throttled:
        response_of(sample("CustomMessage_SignUp"), Refused("ConcurrentInvocationLimitExceeded"))

    assert str(slow.value) == (
        "PreSignUp invocation failed due to error Socket timeout while invoking Lambda function."
    )
    assert str(throttled.value) == ("CustomMessage invocation failed due to error ConcurrentInvocationLimitExceeded.")


@pytest.mark.parametrize(
    ("ended", "attempt", "expected"),
    [
        (None, 1, True),
        (None, 2, True),
        (None, 3, False),
        (Refused("busy"), 1, True),
        (Refused("busy"), 3, False),
        (failed(errorMessage="no"), 1, False),
        (returned("rubbish"), 1, False),
    ],
)
def test_src_111_only_what_did_not_answer_is_called_again(ended: Any, attempt: int, expected: bool) -> None:
    """Three attempts of five seconds; a function that failed has answered."""
    assert is_repeated(ended, attempt) is expected
    assert (ATTEMPTS, LIMIT_S) == (3, 5.0)


def test_an_event_of_no_trigger_is_refused() -> None:
    """It is not Cognito's."""
    with pytest.raises(InvalidParameterValue, match="triggerSource None is none of Cognito's"):
        response_of({}, returned({}))
