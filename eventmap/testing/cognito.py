"""`cognito_trigger`: a handler called as Cognito calls it, on virtual time or any other."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final, Protocol, runtime_checkable

import anyio

from eventmap.errors import InvalidParameterValue
from eventmap.function import Function, Handler
from eventmap.model import Event, JsonObject, Response
from eventmap.rules.cognito import ATTEMPTS, LIMIT_S, is_repeated, response_of, trigger_of
from eventmap.runtime.invoker import FunctionRuntime

_PATIENT_S: Final = 900  #: of a handler without a configuration: Cognito's limit is to be the one that counts


@runtime_checkable
class Invokes(Protocol):
    """A function that runs already, such as a `FunctionRuntime`."""

    async def invoke(self, event: Event) -> Response: ...


class _Silent:
    """Nobody reads the log."""

    enabled = False

    def line(self, function_name: str, request_id: str, text: str) -> None: ...


async def cognito_trigger(target: Handler | Function | Invokes, event: JsonObject) -> JsonObject:
    """Do with an event of a trigger what Cognito does, and return what it takes over from the answer's `response`.

    The function is called at most three times, each time for 5 seconds at most; a slow call runs on beside the next
    one and is stopped when the trigger is over. Keys of the response that Cognito does not know are not returned. A
    handler that is given alone has no timeout of its own; a `Function` has its.

    Raises: UserLambdaValidationException, InvalidLambdaResponseException, UnexpectedLambdaException as a client would
    get them; InvalidParameterValue for an event of no trigger, and of a custom sender, which Cognito does not wait for.
    Rules: SRC-110..112.
    """
    trigger = trigger_of(event.get("triggerSource"), event.get("version"))
    if not trigger.is_answered:
        raise InvalidParameterValue(
            f"{event['triggerSource']} is an asynchronous notification, of which Cognito awaits no answer (SRC-126): "
            "call the handler itself"
        )
    region = str(event.get("region"))
    async with AsyncExitStack() as stack:
        if isinstance(target, Invokes):
            runtime = target
        else:
            function = target if isinstance(target, Function) else _alone(target)
            runtime = await stack.enter_async_context(
                FunctionRuntime(function, region=region, account_id="123456789012", log=_Silent())
            )
        return await _call(runtime, event)


def _alone(handler: Handler) -> Function:
    return Function(function_name="trigger", handler=handler, timeout=_PATIENT_S, isolation="inline")


async def _call(runtime: Invokes, event: JsonObject) -> JsonObject:
    ended: Response | None = None
    async with anyio.create_task_group() as calls:
        for attempt in range(1, ATTEMPTS + 1):
            call = _Call(runtime, Event(event))
            calls.start_soon(call.run)
            with anyio.move_on_after(LIMIT_S):
                await call.over.wait()
            ended = call.response
            if not is_repeated(ended, attempt):
                break
        calls.cancel_scope.cancel()
    return response_of(event, ended)


class _Call:
    def __init__(self, runtime: Invokes, event: Event) -> None:
        self._runtime = runtime
        self._event = event
        self.over = anyio.Event()
        self.response: Response | None = None  #: None = not yet

    async def run(self) -> None:
        self.response = await self._runtime.invoke(self._event)
        self.over.set()
