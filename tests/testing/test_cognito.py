"""`cognito_trigger`: a handler called as Cognito calls it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap import Function
from eventmap.clock import elapsed_s
from eventmap.errors import (
    InvalidLambdaResponseException,
    InvalidParameterValue,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)
from eventmap.model import Event, Refused, Response, Returned
from eventmap.rules.cognito import sample
from eventmap.testing import cognito_trigger

pytestmark = pytest.mark.virtual_time
SIGN_UP = sample("PreSignUp_SignUp")


class Slow:
    """A handler that takes as long as it is told, call by call, and the next ones no time."""

    def __init__(self, *takes_s: float) -> None:
        self.began_at: list[float] = []
        self.ended_at: list[float] = []
        self._takes_s = takes_s

    async def __call__(self, event: Any, context: Any) -> Any:
        number = len(self.began_at)
        self.began_at.append(elapsed_s())
        await anyio.sleep(self._takes_s[number] if number < len(self._takes_s) else 0)
        self.ended_at.append(elapsed_s())
        event["response"]["autoConfirmUser"] = True
        return event


async def test_src_110_the_response_is_what_the_handler_wrote() -> None:
    """The event comes back; its own document is left as it was."""
    response = await cognito_trigger(Slow(), SIGN_UP)

    assert response == {"autoConfirmUser": True, "autoVerifyEmail": False, "autoVerifyPhone": False}
    assert sample("PreSignUp_SignUp") == SIGN_UP


async def test_src_111_an_answer_just_in_time_is_one() -> None:
    """Five seconds are enough for what takes less."""
    handler = Slow(4.999)

    assert (await cognito_trigger(handler, SIGN_UP))["autoConfirmUser"] is True
    assert handler.began_at == [0] and elapsed_s() == pytest.approx(4.999)


async def test_src_111_a_slow_call_is_made_again_beside_the_first() -> None:
    """What it does, it does twice: the second call answers, and the first one ran on until then."""
    handler = Slow(5.5, 1)

    assert (await cognito_trigger(handler, SIGN_UP))["autoConfirmUser"] is True
    assert handler.began_at == [0, 5] and handler.ended_at == [5.5, 6]


async def test_src_111_three_attempts_of_five_seconds_are_all() -> None:
    """Then the client is told; the calls that still run are stopped."""
    handler = Slow(60, 60, 60, 0)

    with pytest.raises(UnexpectedLambdaException, match="Socket timeout"):
        await cognito_trigger(handler, SIGN_UP)

    assert handler.began_at == [0, 5, 10] and handler.ended_at == []
    assert elapsed_s() == 15


async def test_src_111_a_call_that_cannot_start_is_made_again() -> None:
    """Throttled twice, then answered: at once."""

    class Busy:
        calls = 0

        async def invoke(self, event: Event) -> Response:
            Busy.calls += 1
            return Refused("TooManyRequests") if Busy.calls < 3 else Returned(event.text)

    assert await cognito_trigger(Busy(), SIGN_UP) == SIGN_UP["response"]
    assert (Busy.calls, elapsed_s()) == (3, 0)
    Busy.calls = -5
    with pytest.raises(UnexpectedLambdaException, match="due to error TooManyRequests"):
        await cognito_trigger(Busy(), SIGN_UP)
    assert Busy.calls == -2


async def test_src_112_a_handler_that_raises_is_asked_once() -> None:
    """Its message reaches the client."""
    calls = []

    def handler(event: Any, context: Any) -> Any:
        calls.append(event["userName"])
        raise ValueError("addresses of mailinator.com are not accepted")

    with pytest.raises(UserLambdaValidationException) as refused:
        await cognito_trigger(handler, SIGN_UP)

    assert str(refused.value) == "PreSignUp failed with error addresses of mailinator.com are not accepted."
    assert calls == ["ada"]


async def test_src_112_the_timeout_of_the_function_itself_is_an_error_of_it() -> None:
    """Lambda's own limit, below Cognito's: no second call."""
    handler = Slow(60)

    with pytest.raises(UserLambdaValidationException, match=r"Task timed out after 3\.00 seconds"):
        await cognito_trigger(Function(handler=handler, function_name="check", timeout=3), SIGN_UP)

    assert handler.began_at == [0] and elapsed_s() == 3


async def test_src_110_a_handler_that_forgets_to_return_fails_the_flow() -> None:
    """The commonest mistake of all."""

    def handler(event: Any, context: Any) -> None:
        event["response"]["autoConfirmUser"] = True

    with pytest.raises(InvalidLambdaResponseException, match="it is null, not the event"):
        await cognito_trigger(handler, SIGN_UP)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (sample("CustomEmailSender_SignUp"), "asynchronous notification"),
        ({"Records": []}, "triggerSource None is none of Cognito's"),
    ],
)
async def test_src_126_what_cognito_does_not_wait_for_is_refused(event: Any, reason: str) -> None:
    """A custom sender's answer is nobody's; an event of another source is none."""
    with pytest.raises(InvalidParameterValue, match=reason):
        await cognito_trigger(Slow(), event)
