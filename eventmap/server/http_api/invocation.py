"""HttpInvocation: one event run by a function, and its answer told as a response (SRC-92, 93, 97..99, 102, 104)."""

from __future__ import annotations

from typing import Final, Protocol

import anyio

from eventmap import telemetry
from eventmap.http_route import HttpRoute
from eventmap.model import Event, FunctionError, JsonObject, Refused, Response, Stream
from eventmap.rules.http.answers import Headers, HttpResponse, MalformedAnswer, head_of, response_of
from eventmap.rules.http.refusals import Trouble
from eventmap.rules.http.request import HttpRequest
from eventmap.rules.invoke_api import read_trace_id
from eventmap.rules.invoke_errors import code_did_not_run
from eventmap.server.ports import InvokableFunction
from eventmap.server.statistics import ServerStatistics

EVENT_LIMIT_BYTES: Final = 6_291_456
"""The largest event Lambda takes (INV-19), whatever a gateway lets in (SRC-94)."""

STREAM_LIMIT_BYTES: Final = 209_715_200
"""The most a streamed answer may hold (SRC-102)."""

_BINARY: Final = (b"content-type", b"application/octet-stream")
_log = telemetry.logger("eventmap.server")


class Answering(Protocol):
    """Where the response goes."""

    async def answer(self, response: HttpResponse) -> None: ...

    async def refuse(self, trouble: Trouble) -> None: ...

    async def begin(self, status: int, headers: Headers) -> None: ...

    async def send_piece(self, piece: bytes) -> None: ...

    async def end(self) -> None: ...


class HttpInvocation:
    """Runs once."""

    def __init__(
        self,
        function: InvokableFunction,
        route: HttpRoute,
        request: HttpRequest,
        answering: Answering,
        statistics: ServerStatistics,
    ) -> None:
        self._function = function
        self._route = route
        self._request = request
        self._answering = answering
        self._statistics = statistics
        self._streamed = _Streamed(answering) if route.invoke_mode == "RESPONSE_STREAM" else None

    async def run(self, event: Event) -> None:
        """Returns when the function has ended; a client that has waited too long was answered by then."""
        patience_s = self._route.patience_s
        if patience_s is None or self._function.timeout <= patience_s:
            await self._tell(await self._invoke(event))
            return
        ended: list[Response] = []
        end = anyio.Event()

        async def work() -> None:
            ended.append(await self._invoke(event))
            end.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            with anyio.move_on_after(patience_s):
                await end.wait()
            if ended:
                await self._tell(ended[0])
            else:  # only the client is told: the function is not stopped, as AWS does not stop it either
                await self._answering.refuse("late")

    async def _invoke(self, event: Event) -> Response:
        response, _ = await self._function.invoke(
            event,
            request_id=self._request.request_id,
            invoked_arn=self._function.arn,
            client_context=None,
            trace_id=read_trace_id(self._request.header("x-amzn-trace-id")),
            wants_log=False,
            stream=self._stream,
        )
        return response

    @property
    def _stream(self) -> Stream | None:
        return None if self._streamed is None else self._streamed.take

    async def _tell(self, response: Response) -> None:
        if isinstance(response, Refused):
            is_busy = code_did_not_run(response.reason).why == "throttled"
            await self._answering.refuse("busy" if is_busy else "failed")
            return
        self._statistics.invocations += 1
        if self._streamed is not None and self._streamed.has_begun:
            # An answer whose status is out cannot become an error: it ends short, and its client knows.
            if not isinstance(response, FunctionError):
                await self._streamed.end()
        elif isinstance(response, FunctionError):
            await self._answering.refuse("failed")
        else:
            try:
                answer = response_of(response.payload, self._route, self._request.header("accept"))
            except MalformedAnswer as error:
                self._warn(str(error))
                await self._answering.refuse("failed")
            else:
                await self._answering.answer(answer)

    def _warn(self, reason: str) -> None:
        _log.warning(
            telemetry.ANSWER_MALFORMED,
            function_name=self._function.name,
            request_id=self._request.request_id,
            route=self._route.route,
            payload_format=self._route.payload_format,
            reason=reason,
        )


class _Streamed:
    """An answer as it comes: its head, once there is something to send after it, then the pieces."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._head: tuple[int, Headers] = (200, [])
        self._size = 0
        self.has_begun = False

    async def take(self, piece: JsonObject | bytes) -> None:
        """Raises: MalformedAnswer, which is the handler's."""
        if isinstance(piece, dict):
            self._head = head_of(piece)
        await self._begin()
        if isinstance(piece, bytes) and piece:
            self._size += len(piece)
            if self._size > STREAM_LIMIT_BYTES:
                raise MalformedAnswer(f"it streams more than {STREAM_LIMIT_BYTES} bytes")
            await self._answering.send_piece(piece)

    async def end(self) -> None:
        await self._answering.end()

    async def _begin(self) -> None:
        if self.has_begun:
            return
        status, headers = self._head
        if not any(name == b"content-type" for name, _ in headers):
            headers = [*headers, _BINARY]
        self.has_begun = True
        await self._answering.begin(status, headers)
