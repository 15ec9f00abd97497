"""The sign-up check does what its first lines say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eventmap.errors import UserLambdaValidationException
from eventmap.rules.cognito import sample
from eventmap.testing import cognito_trigger
from examples import sign_up_check
from tests.cli.command import REPOSITORY, eventmap


def test_the_first_command_of_the_sign_up_check_lets_the_sample_in() -> None:
    """As its first lines show it: one command's event is the other one's."""
    [line] = [line for line in str(sign_up_check.__doc__).splitlines() if " | " in line]
    make, use = line.split(" | ")

    made = eventmap(make.removeprefix("eventmap "), cwd=REPOSITORY)
    used = eventmap(use.removeprefix("eventmap "), cwd=REPOSITORY, stdin=made.stdout)

    assert (made.code, used.code) == (0, 0), made.stderr + used.stderr
    assert json.loads(used.stdout)["response"]["autoConfirmUser"] is True


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("address", "confirmed"), [("ada@example.com", True), ("ada@EXAMPLE.com", True), ("bob@example.org", False)]
)
async def test_the_sign_up_check_confirms_the_company_at_once(address: str, confirmed: bool) -> None:
    """Everybody else confirms in the usual way."""
    response = await cognito_trigger(
        sign_up_check.handler, sample("PreSignUp_SignUp", user_attributes={"email": address})
    )

    assert (response["autoConfirmUser"], response["autoVerifyEmail"]) == (confirmed, confirmed)


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"email": "x@mailinator.com"}, "addresses at mailinator.com are not accepted"),
        ({"email": "x@mx.Mailinator.com "}, "addresses at mx.mailinator.com are not accepted"),
        ({"phone_number": "+15550100"}, "an e-mail address is needed"),
    ],
)
async def test_the_sign_up_check_says_why_not(attributes: dict[str, Any], said: str) -> None:
    """In Cognito's words and its own."""
    with pytest.raises(UserLambdaValidationException) as refused:
        await cognito_trigger(sign_up_check.handler, sample("PreSignUp_SignUp", user_attributes=attributes))

    assert str(refused.value) == f"PreSignUp failed with error {said}."


@pytest.mark.virtual_time
async def test_the_sign_up_check_leaves_what_an_admin_makes_alone() -> None:
    """AdminCreateUser has a way of its own to be confirmed."""
    event = sample("PreSignUp_AdminCreateUser", user_attributes={"email": "ada@example.com"})

    assert await cognito_trigger(sign_up_check.handler, event) == event["response"]
