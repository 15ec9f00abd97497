"""The error objects Lambda answers with (INV-18, INV-30..35). Loaded by the child too, so imports little."""

from __future__ import annotations

import json
import os
import signal
import traceback
from types import TracebackType
from typing import Final

from . import loading
from .response import RESPONSE_LIMIT_BYTES, MarshalError

ErrorObject = dict[str, object]

TIMED_OUT: Final = "Sandbox.Timedout"
EXITED: Final = "Runtime.ExitError"
OUT_OF_MEMORY: Final = "Runtime.OutOfMemory"
_OUR_FOLDER: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_IMPORT_FILE: Final = f"{os.sep}importlib{os.sep}__init__.py"


def of_exception(error: BaseException, request_id: str) -> ErrorObject:
    """What a handler raised, or why its result cannot be answered; `request_id` is "" during Init (INV-30, 32)."""
    if isinstance(error, MarshalError):
        return _object(str(error), "Runtime.MarshalError", request_id, [])
    return _object(_message(error), type(error).__name__, request_id, user_frames(error.__traceback__))


def of_unreadable_event(error: Exception, request_id: str) -> ErrorObject:
    """The event is not JSON (INV-32)."""
    return _object(f"Unable to unmarshal input: {error}", "Runtime.UnmarshalError", request_id, [])


def of_unreadable_context(error: Exception, request_id: str) -> ErrorObject:
    """The client context is not of the documented shape (INV-32)."""
    return _object(f"Unable to parse Client Context: {error}", "Runtime.LambdaContextUnmarshalError", request_id, [])


def of_init(error: BaseException, target: str) -> ErrorObject:
    """Why the handler could not be imported (INV-31)."""
    module = target.rpartition(":")[0].removesuffix(".py") or target
    match error:
        case loading.MalformedTarget():
            reason = f"Bad handler '{target}': not enough values to unpack (expected 2, got 1)"
            return _object(reason, "Runtime.MalformedHandlerName", "", [])
        case loading.AttributeMissing():
            return _object(
                f"Handler '{error.attribute}' missing on module '{module}'", "Runtime.HandlerNotFound", "", []
            )
        case ImportError():
            return _object(
                f"Unable to import module '{module}': {_message(error)}", "Runtime.ImportModuleError", "", []
            )
        case SyntaxError():
            where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
            reason = f"Syntax error in module '{module}': {_message(error)}"
            return _object(reason, "Runtime.UserCodeSyntaxError", "", [where])
        case _:
            return of_exception(error, "")


def of_timeout(request_id: str, timeout_s: float) -> ErrorObject:
    """The function timeout passed (INV-33)."""
    return {
        "errorType": TIMED_OUT,
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds",
    }


def of_exit(request_id: str, status: int) -> ErrorObject:
    """The process ended; `status` is its exit code, or minus the signal that ended it (INV-34)."""
    return {"errorType": EXITED, "errorMessage": f"RequestId: {request_id} Error: {exit_reason(status)}"}


def of_memory(request_id: str) -> ErrorObject:
    """The process was killed because it took more than its memory size (INV-35)."""
    return {
        "errorType": OUT_OF_MEMORY,
        "errorMessage": f"RequestId: {request_id} Error: {exit_reason(-int(signal.SIGKILL))}",
    }


def of_size() -> ErrorObject:
    """The answer is larger than Lambda lets through (INV-18)."""
    return {
        "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def of_large_event(limit_bytes: int) -> ErrorObject:
    """The event is larger than Invoke accepts (INV-19)."""
    return {
        "errorMessage": f"Request must be smaller than {limit_bytes} bytes for the InvokeFunction operation",
        "errorType": "RequestTooLargeException",
    }


def exit_reason(status: int) -> str:
    """Why a process ended, in Lambda's words: nothing for 0, an exit status, or the signal's name (INV-34)."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    try:
        name = signal.strsignal(-status)
    except ValueError:
        name = None
    return f"Runtime exited with error: signal: {name.partition(':')[0].lower() if name else -status}"


def exit_status(error: SystemExit) -> int:
    """The exit code Python itself would end with."""
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def to_json(error: ErrorObject) -> bytes:
    """Encode an error object; one larger than the response limit becomes INV-18's."""
    payload = json.dumps(error).encode()
    return payload if len(payload) <= RESPONSE_LIMIT_BYTES else json.dumps(of_size()).encode()


def user_frames(start: TracebackType | None) -> list[str]:
    """The frames of a traceback as text, from the first that is neither ours nor the import machinery's (INV-30)."""
    frames = traceback.extract_tb(start)
    first = next((index for index, frame in enumerate(frames) if not _is_ours(frame.filename)), len(frames))
    # Four-tuples, because Lambda's frames carry no column markers.
    return traceback.format_list([(f.filename, f.lineno or 0, f.name, f.line) for f in frames[first:]])


def _is_ours(filename: str) -> bool:
    return (
        filename.startswith((_OUR_FOLDER, "<frozen importlib"))
        or filename.endswith(_IMPORT_FILE)
        or f"{os.sep}asyncio{os.sep}" in filename
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    # A user's __str__ may raise anything; the failure it describes must still be reported.
    except Exception:
        return f"<unprintable {type(error).__name__} object>"


def _object(message: str, error_type: str, request_id: str, frames: list[str]) -> ErrorObject:
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": frames}
