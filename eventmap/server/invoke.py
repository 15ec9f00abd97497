"""Lambda's Invoke API: Invoke, InvokeAsync, InvokeWithResponseStream (INV-01..28)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

from eventmap import telemetry
from eventmap.errors import SourceError, StateError
from eventmap.model import Event, FunctionError, Refused, Returned
from eventmap.rules import event_stream, invoke_api, invoke_errors
from eventmap.rules.invoke_api import InvokeRequest, Operation
from eventmap.rules.invoke_errors import Refusal
from eventmap.rules.partition import partition
from eventmap.server.authorization import Authorization
from eventmap.server.exchange import Exchange
from eventmap.server.ports import InvokableFunction
from eventmap.server.settings import ServerSettings
from eventmap.server.statistics import ServerStatistics

_JSON = (b"content-type", b"application/json")
_EVENT_STREAM = (b"content-type", event_stream.MEDIA_TYPE.encode())
_UNHANDLED = (b"x-amz-function-error", b"Unhandled")
_log = telemetry.logger("eventmap.server")


class InvokeApi:
    """The three operations over one set of functions."""

    def __init__(
        self, functions: Mapping[str, InvokableFunction], settings: ServerSettings, statistics: ServerStatistics
    ) -> None:
        self._functions = functions  # not copied: functions come and go
        self._settings = settings
        self._statistics = statistics
        self._authorization = Authorization(settings.access_keys)

    async def serve(self, operation: Operation, name: str, exchange: Exchange) -> None:
        """Answer one request; `name` is the path's FunctionName, percent-encoded. Raises: ClientGone."""
        limit_bytes = invoke_api.payload_limit_bytes(operation, exchange.headers)
        body = await exchange.read_body(limit_bytes, invoke_errors.too_large(limit_bytes, operation))
        # Before anything is told of what there is: who asks? Then in the order in which AWS refuses.
        refusal = body if isinstance(body, Refusal) else self._authorization.check(exchange, body)
        if refusal is not None:
            await exchange.refuse(refusal)
            return
        assert isinstance(body, bytes)
        query = dict(parse_qsl(exchange.query)) if exchange.query else {}
        request = invoke_api.read_request(operation, unquote(name), query, exchange.headers)
        if isinstance(request, Refusal):
            await exchange.refuse(request)
            return
        function = self._functions.get(request.function.name)
        invoked_arn = self._unknown(request) if function is None else _resolve(function, request)
        event = invoke_api.read_payload(body)
        if isinstance(invoked_arn, Refusal) or function is None:
            assert isinstance(invoked_arn, Refusal)
            await exchange.refuse(invoked_arn)
        elif isinstance(event, Refusal):
            await exchange.refuse(event)
        elif request.invocation_type == "RequestResponse":
            await self._invoke(operation, function, event, request, invoked_arn, exchange)
        elif request.invocation_type == "Event":
            await self._accept(function, event.text, request, exchange)
        else:
            await exchange.answer(204, b"", ())

    def _unknown(self, request: InvokeRequest) -> Refusal:
        settings, reference = self._settings, request.function
        arn = invoke_api.named(reference, partition(settings.region), settings.region, settings.account_id)
        return invoke_errors.function_not_found(arn, reference.qualifier)

    async def _invoke(
        self,
        operation: Operation,
        function: InvokableFunction,
        event: Event,
        request: InvokeRequest,
        invoked_arn: str,
        exchange: Exchange,
    ) -> None:
        """Rules: INV-10..12, 18, 22, 24..27."""
        version = (b"x-amz-executed-version", function.executed_version(request.function.qualifier).encode())
        response, tail = await function.invoke(
            event,
            request_id=exchange.request_id,
            invoked_arn=invoked_arn,
            client_context=request.client_context,
            trace_id=request.trace_id,
            wants_log=request.wants_log,
        )
        if isinstance(response, Refused):
            await exchange.refuse(invoke_errors.code_did_not_run(response.reason))
            return
        self._statistics.invocations += 1
        log_result = None if tail is None else b64encode(tail)
        if operation == "InvokeWithResponseStream":
            stream = _as_stream(response, log_result)
            await exchange.answer(200, stream, (_EVENT_STREAM, version))
            return
        headers = [_JSON, version]
        if isinstance(response, FunctionError):
            headers.append(_UNHANDLED)
        if log_result is not None:
            headers.append((b"x-amz-log-result", log_result))
        await exchange.answer(200, response.payload, headers)

    async def _accept(
        self, function: InvokableFunction, payload: bytes, request: InvokeRequest, exchange: Exchange
    ) -> None:
        """Rules: INV-13, 23, 25, 40."""
        try:
            await function.accept(
                payload,
                request_id=exchange.request_id,
                qualifier=request.function.qualifier,
                trace_id=request.trace_id,
            )
        except (StateError, SourceError) as error:
            _log.error(
                telemetry.EVENT_NOT_ACCEPTED,
                function_name=function.name,
                request_id=exchange.request_id,
                error=str(error),
            )
            await exchange.refuse(invoke_errors.failed("The event could not be kept, so it will not run; try again"))
            return
        self._statistics.accepted += 1
        await exchange.answer(202, b"", ())


def _resolve(function: InvokableFunction, request: InvokeRequest) -> str | Refusal:
    return invoke_api.resolve(request.function, function.arn, function.aliases)


def _as_stream(response: Returned | FunctionError, log_result: bytes | None) -> bytes:
    log = None if log_result is None else log_result.decode()
    if isinstance(response, Returned):
        return event_stream.response_stream(response.payload, log_result=log)
    return event_stream.response_stream(b"", error=(response.error_type, response.payload.decode()), log_result=log)
