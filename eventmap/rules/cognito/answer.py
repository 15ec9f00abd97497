"""What Cognito makes of the end of a call: another one, the response it takes over, or an error for its client.

Rules: SRC-110..112, SRC-127.
"""

from __future__ import annotations

from typing import Final, assert_never

import orjson

from eventmap.errors import (
    InvalidLambdaResponseException,
    UnexpectedLambdaException,
    UserLambdaValidationException,
)
from eventmap.model import FunctionError, JsonObject, JsonValue, Refused, Response, Returned
from eventmap.rules.cognito.shapes import is_object, misshapen
from eventmap.rules.cognito.triggers import trigger_of

ATTEMPTS: Final = 3
LIMIT_S: Final = 5.0  #: of one attempt; Cognito has no setting for it

_SAME: Final = ("version", "triggerSource", "region", "userPoolId", "userName", "callerContext")
_TIMED_OUT: Final = "Socket timeout while invoking Lambda function"


def is_repeated(ended: Response | None, attempt: int) -> bool:
    """Whether Cognito calls once more; `attempt` counts from 1, None is one that was not over after `LIMIT_S`.

    A function that ran and failed has answered. Rule: SRC-111.
    """
    return attempt < ATTEMPTS and (ended is None or isinstance(ended, Refused))


def response_of(event: JsonObject, ended: Response | None) -> JsonObject:
    """What Cognito takes over from the `response` of the last attempt's answer: each key that it knows.

    Raises: UserLambdaValidationException, InvalidLambdaResponseException, UnexpectedLambdaException.
    """
    trigger = trigger_of(event.get("triggerSource"), event.get("version"))
    match ended:
        case Returned(payload):
            response = _checked(event, orjson.loads(payload))
            if (name := misshapen(response, trigger.response)) is not None:
                raise InvalidLambdaResponseException(f"its response has {name} = {_shown(response[name])}")
            return {name: response[name] for name in trigger.response if name in response}
        case FunctionError(payload):
            message = _message_of(orjson.loads(payload))
            raise UserLambdaValidationException(f"{trigger.name} failed with error {message}.")
        case Refused(reason):
            raise UnexpectedLambdaException(f"{trigger.name} invocation failed due to error {reason}.")
        case None:
            raise UnexpectedLambdaException(f"{trigger.name} invocation failed due to error {_TIMED_OUT}.")
    assert_never(ended)


def _checked(event: JsonObject, answer: JsonValue) -> JsonObject:
    """The `response` of an answer that is the event, with whatever the handler has written into it."""
    if not is_object(answer):
        raise InvalidLambdaResponseException(f"it is {_shown(answer)}, not the event")
    for name in _SAME:
        if answer.get(name) != event.get(name):
            raise InvalidLambdaResponseException(f"its {name} is not the event's")
    if not is_object(answer.get("request")):
        raise InvalidLambdaResponseException("its request is not the event's")
    response = answer.get("response")
    if not is_object(response):
        raise InvalidLambdaResponseException(f"its response is {_shown(response)}, not an object")
    return response


def _message_of(error: JsonValue) -> str:
    return str(error.get("errorMessage") or error.get("errorType")) if is_object(error) else str(error)


def _shown(value: JsonValue) -> str:
    """Its kind, not its contents: answers hold what users are known by."""
    match value:
        case None | bool():
            return orjson.dumps(value).decode()
        case str():
            return "a string"
        case int() | float():
            return "a number"
    return "a list" if isinstance(value, list) else "an object of another shape"
