"""What the child does: Init once, then one request at a time, until its parent hangs up.

Imports only the standard library and siblings that do the same.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from . import child_logging, error_object, frames, lifeline, loading
from .context import LambdaContext, Place
from .response import RESPONSE_LIMIT_BYTES, to_json

if TYPE_CHECKING:
    import asyncio

_KIB_PER_RSS_UNIT = 1 / 1024 if sys.platform == "darwin" else 1


def serve(control_fd: int, lifeline_fd: int, target: str) -> None:
    """Run the handler `target` leads to for as long as the parent keeps the control socket open.

    Ends the process where Lambda's runtime would: after a failed Init, and when the handler exits.
    """
    for fd in (control_fd, lifeline_fd):
        os.set_inheritable(fd, False)
    lifeline.tie_to_parent(lifeline_fd)
    parent = _Parent(control_fd)
    child_logging.install()
    try:
        handler = loading.load(target)
        if not callable(handler):
            raise TypeError(f"{target!r} is not callable")
    except (SystemExit, KeyboardInterrupt):
        raise
    # Whatever the user's module raises is data: it becomes the error object of Init.
    except BaseException as error:
        parent.answer(frames.INIT_FAILED, error_object.to_json(error_object.of_init(error, target)))
        raise SystemExit(1) from None
    parent.answer(frames.INITIALIZED, b"")
    environment = _Environment(handler)
    while (request := parent.next_request()) is not None:
        parent.answer(*environment.run(request))


class _Request:
    """One invocation, as the parent sent it."""

    __slots__ = ("client_context", "deadline", "invoked_arn", "request_id", "text", "trace_id")

    def __init__(self, deadline: float, sizes: list[int], body: bytes) -> None:
        parts, start = [], 0
        for size in sizes:
            parts.append(body[start : start + size])
            start += size
        self.deadline = deadline
        self.request_id = parts[0].decode()
        self.invoked_arn = parts[1].decode()  # "" = the function's own
        self.trace_id = parts[2].decode()  # "" = none
        self.client_context = parts[3]
        self.text = parts[4]


class _Environment:
    """The imported handler and what stays warm around it."""

    def __init__(self, handler: Callable[[Any, Any], object]) -> None:
        self._handler = handler
        self._place = Place(
            os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            function_arn=os.environ.pop("_EVENTMAP_FUNCTION_ARN"),
            memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
            log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
            function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        )
        self._runner: asyncio.Runner | None = None
        self._is_traced = False

    def run(self, request: _Request) -> tuple[bytes, bytes]:
        """Answer one request; returns (kind, payload). A SystemExit of the handler passes through."""
        child_logging.current_request_id = request_id = request.request_id
        self._trace(request.trace_id)
        try:
            sent = json.loads(request.client_context) if request.client_context else None
            context = LambdaContext(
                request_id,
                self._place,
                deadline=request.deadline,
                clock=time.monotonic,
                client_context=sent,
                invoked_arn=request.invoked_arn,
            )
        except (ValueError, TypeError, AttributeError) as error:
            return frames.FAILED, error_object.to_json(error_object.of_unreadable_context(error, request_id))
        try:
            event = json.loads(request.text)
        except (ValueError, RecursionError) as error:
            return frames.FAILED, error_object.to_json(error_object.of_unreadable_event(error, request_id))
        try:
            result = self._handler(event, context)
            if isinstance(result, Awaitable):
                result = self._wait_for(result)
            if isinstance(result, AsyncGenerator):
                from .streaming import drained  # only a generator pays for it

                result = self._wait_for(drained(result, None))
            payload = to_json(result)
        except (SystemExit, KeyboardInterrupt, GeneratorExit):
            raise
        # The handler's failure is data: it becomes the error object of the invocation.
        except BaseException as error:
            return frames.FAILED, error_object.to_json(error_object.of_exception(error, request_id))
        return (frames.RETURNED, payload) if len(payload) <= RESPONSE_LIMIT_BYTES else (frames.TOO_LARGE, b"")

    def _trace(self, trace_id: str) -> None:
        """Tell libraries which trace this is, or that there is none, as AWS' runtime does (INV-06, 115)."""
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        elif self._is_traced:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        self._is_traced = bool(trace_id)

    def _wait_for(self, result: Awaitable[object]) -> object:
        if self._runner is None:
            import asyncio  # only an `async def` handler pays for it

            # One loop for the life of the environment, so that a client made in one invocation serves the next.
            self._runner = asyncio.Runner()
        return self._runner.run(_finish(result))


async def _finish(result: Awaitable[object]) -> object:
    return await result


class _Parent:
    """The child's end of the control socket, blocking."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pid = os.getpid()

    def next_request(self) -> _Request | None:
        """The next request, or None when the parent has hung up."""
        header = self._read(frames.REQUEST.size)
        if header is None:
            return None
        deadline, *sizes = frames.REQUEST.unpack(header)
        body = self._read(sum(sizes))
        return None if body is None else _Request(deadline, sizes, body)

    def answer(self, kind: bytes, payload: bytes) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # a fork made by the handler came back from it: only the original may speak
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB_PER_RSS_UNIT
        left = memoryview(frames.ANSWER.pack(kind, int(peak), len(payload)) + payload)
        while left:
            left = left[os.write(self._fd, left) :]

    def _read(self, size: int) -> bytes | None:
        pieces = []
        while size:
            piece = os.read(self._fd, min(size, 1 << 20))
            if not piece:
                return None
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
