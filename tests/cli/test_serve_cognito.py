"""A user pool of cognito-local, which nobody of us wrote, whose triggers are handlers that `eventmap serve` runs."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from eventmap.model import Returned
from eventmap.rules.cognito import response_of, sample, trigger_of
from tests.cli import pool_triggers
from tests.cli.test_serve import serving
from tests.servers.fixtures import require_installed
from tests.servers.process import running
from tests.servers.recipes import cognito_local

pytestmark = pytest.mark.server

HANDLERS = {
    "PreSignUp": "check",
    "PostConfirmation": "watch",
    "PostAuthentication": "watch",
    "PreTokenGeneration": "claims",
    "UserMigration": "migrate",
    "CustomMessage": "message",
}
"""The functions have the names of their triggers: cognito-local's errors name the function, AWS' the trigger."""


@dataclass
class Pool:
    """A user pool with a client application, and what its triggers were told."""

    cognito: Any
    client_id: str
    seen: Path

    def told(self, user: str) -> list[dict[str, Any]]:
        """The events of one user, in order."""
        events = [json.loads(line) for line in self.seen.read_text().splitlines()] if self.seen.exists() else []
        return [event for event in events if user in json.dumps(event)]

    def sign_up(self, user: str) -> dict[str, Any]:
        signed_up: dict[str, Any] = self.cognito.sign_up(
            ClientId=self.client_id,
            Username=user,
            Password="correct horse",
            UserAttributes=[{"Name": "email", "Value": user}],
        )
        return signed_up

    def sign_in(self, user: str, password: str = "correct horse") -> dict[str, Any]:
        signed_in: dict[str, Any] = self.cognito.initiate_auth(
            ClientId=self.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user, "PASSWORD": password},
        )
        return signed_in["AuthenticationResult"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


@pytest.fixture(scope="module")
def lambda_url(folder: Path) -> Iterator[str]:
    """All handlers of `pool_triggers`, served."""
    require_installed(cognito_local("", {}))
    file = pool_triggers.__file__
    named = " ".join(f"{trigger}={file}:{handler}" for trigger, handler in HANDLERS.items())
    with serving(f"{named} Forgetful={file}:forgetful", folder, {"SEEN": str(folder / "seen")}) as (_, url):
        yield url


@pytest.fixture(scope="module")
def pool(lambda_url: str, folder: Path) -> Iterator[Pool]:
    with running(cognito_local(lambda_url, {trigger: trigger for trigger in HANDLERS})) as server:
        cognito = server.client("cognito-idp")
        try:
            yield pool_of(cognito, folder / "seen")
        finally:
            cognito.close()


def pool_of(cognito: Any, seen: Path) -> Pool:
    pool_id = cognito.create_user_pool(PoolName="people", AutoVerifiedAttributes=["email"])["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="web")["UserPoolClient"]
    return Pool(cognito, client["ClientId"], seen)


def someone(domain: str) -> str:
    return f"u{uuid.uuid4().hex[:10]}@{domain}"


def test_src_113_a_sign_up_is_confirmed_by_the_handler(pool: Pool) -> None:
    """PreSignUp says so, and the user may sign in at once."""
    user = someone("example.com")

    assert pool.sign_up(user)["UserConfirmed"] is True
    assert pool.sign_in(user)["AccessToken"]
    assert pool.told(user)[0]["triggerSource"] == "PreSignUp_SignUp"


def test_src_112_a_sign_up_that_the_handler_refuses_tells_the_client_why(pool: Pool) -> None:
    """As UserLambdaValidationException, in the words that `cognito_trigger` raises, too."""
    user = someone("mailinator.com")

    with pytest.raises(ClientError) as refused:
        pool.sign_up(user)

    error = refused.value.response["Error"]
    assert error["Code"] == "UserLambdaValidationException"
    assert error["Message"] == "PreSignUp failed with error addresses at mailinator.com are not accepted."
    with pytest.raises(ClientError, match=r"NotAuthorizedException|UserNotFoundException"):
        pool.sign_in(user, "never set")


def test_src_114_116_to_118_a_user_who_confirms_meets_every_trigger_in_turn(pool: Pool) -> None:
    """Sign-up, message, confirmation, sign-in, tokens; a claim that the handler adds is in the token."""
    user = someone("example.org")

    assert pool.sign_up(user)["UserConfirmed"] is False
    pool.cognito.confirm_sign_up(ClientId=pool.client_id, Username=user, ConfirmationCode="1234")
    token = pool.sign_in(user)["IdToken"]

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["tenant"] == "seven" and "email" not in claims
    assert [event["triggerSource"] for event in pool.told(user)] == [
        "PreSignUp_SignUp",
        "CustomMessage_SignUp",
        "PostConfirmation_ConfirmSignUp",
        "PostAuthentication_Authentication",
        "TokenGeneration_Authentication",
    ]


def test_src_122_a_user_from_elsewhere_is_brought_along_at_the_first_sign_in(pool: Pool) -> None:
    """UserMigration is told the password, once: after that the pool knows the user."""
    user = someone("old.example")

    assert pool.sign_in(user)["AccessToken"]
    told = [event["triggerSource"] for event in pool.told(user)]
    with pytest.raises(ClientError, match="NotAuthorizedException"):
        pool.sign_in(someone("old.example"), "wrong")

    assert told[0] == "UserMigration_Authentication"
    assert pool.sign_in(user)["AccessToken"]
    assert [event["triggerSource"] for event in pool.told(user)].count("UserMigration_Authentication") == 1


NOT_IN_COGNITO_LOCAL = {
    "linkParameter": "it sends codes only",
    "validationData": "left out where the client gave none; null at AWS",
    "clientMetadata": "the same",
}


def test_src_110_what_it_sends_is_shaped_as_our_samples(pool: Pool) -> None:
    """Member by member, of every trigger met here; what differs is named above."""
    user = someone("example.org")
    pool.sign_up(user)
    pool.cognito.confirm_sign_up(ClientId=pool.client_id, Username=user, ConfirmationCode="1234")
    pool.sign_in(user)
    migrated = someone("old.example")
    pool.sign_in(migrated)

    events = {event["triggerSource"]: event for event in [*pool.told(user), *pool.told(migrated)]}

    assert {trigger_of(source).name for source in events} == set(HANDLERS)
    missing = set()
    for source, event in events.items():
        ours: Any = sample(source)
        assert set(event) == set(ours)
        assert set(event["callerContext"]) == set(ours["callerContext"])
        missing |= set(ours["request"]) - set(event["request"])
        assert set(event["request"]) <= set(ours["request"])
        assert set(event["response"]) <= set(ours["response"])
        assert response_of(event, Returned(json.dumps(event).encode())) == event["response"]
    assert missing == set(NOT_IN_COGNITO_LOCAL)


def test_src_110_an_answer_that_is_not_the_event_is_refused(lambda_url: str, folder: Path) -> None:
    """A handler that forgets to return: InvalidLambdaResponseException at the client."""
    with running(cognito_local(lambda_url, {"PreSignUp": "Forgetful"})) as server:
        cognito = server.client("cognito-idp")
        try:
            with pytest.raises(ClientError) as refused:
                pool_of(cognito, folder / "unused").sign_up(someone("example.com"))
        finally:
            cognito.close()

    assert refused.value.response["Error"]["Code"] == "InvalidLambdaResponseException"
