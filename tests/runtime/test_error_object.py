"""Error objects (INV-18, INV-30..35)."""

from __future__ import annotations

import json
import signal

import pytest

from eventmap.runtime import error_object, loading
from eventmap.runtime.response import MarshalError


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("never")


def test_inv_30_an_exception_has_message_bare_type_id_and_frames():
    """INV-30: frames are strings without column markers."""
    try:
        json.loads("{")
    except ValueError as caught:
        made = error_object.of_exception(caught, "id-1")

    assert list(made) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (made["errorType"], made["requestId"]) == ("JSONDecodeError", "id-1")
    assert isinstance(made["stackTrace"], list)
    assert made["stackTrace"][0] == (
        f'  File "{__file__}", line 22, in test_inv_30_an_exception_has_message_bare_type_id_and_frames\n'
        '    json.loads("{")\n'
    )


def test_inv_30_an_exception_that_cannot_be_printed_is_reported():
    """INV-30: a broken __str__ does not hide the failure."""
    assert error_object.of_exception(Unprintable(), "")["errorMessage"] == "<unprintable Unprintable object>"


@pytest.mark.parametrize(
    ("error", "error_type", "message"),
    [
        (
            ImportError("No module named 'x'"),
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'x'",
        ),
        (
            loading.AttributeMissing("app", "f", None, "f"),
            "Runtime.HandlerNotFound",
            "Handler 'f' missing on module 'app'",
        ),
        (
            loading.MalformedTarget("app:"),
            "Runtime.MalformedHandlerName",
            "Bad handler 'app:f': not enough values to unpack (expected 2, got 1)",
        ),
        (LookupError("no table"), "LookupError", "no table"),
    ],
)
def test_inv_31_errors_of_init(error: Exception, error_type: str, message: str):
    """INV-31: the same shape, with an empty request id."""
    made = error_object.of_init(error, "app:f")

    assert (made["errorType"], made["errorMessage"], made["requestId"]) == (error_type, message, "")


def test_inv_31_a_syntax_error_names_the_line():
    """INV-31: the place of the mistake is the only frame."""
    made = error_object.of_init(SyntaxError("invalid syntax", ("app.py", 2, 1, "def x(")), "app.py:f")

    assert made["errorType"] == "Runtime.UserCodeSyntaxError"
    assert made["errorMessage"] == "Syntax error in module 'app': invalid syntax (app.py, line 2)"
    assert made["stackTrace"] == ['  File "app.py" Line 2\n    def x(']


def test_inv_32_an_unserialisable_result():
    """INV-32: a type of its own and no frames."""
    assert error_object.of_exception(MarshalError("Object of type set is not JSON serializable"), "id-1") == {
        "errorMessage": "Unable to marshal response: Object of type set is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": "id-1",
        "stackTrace": [],
    }


def test_inv_33_a_timeout():
    """INV-33: the configured timeout with two decimals."""
    assert error_object.of_timeout("id-1", 1) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: id-1 Error: Task timed out after 1.00 seconds",
    }


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (127, "Runtime exited with error: exit status 127"),
        (-signal.SIGKILL, "Runtime exited with error: signal: killed"),
        (-signal.SIGSEGV, "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_inv_34_an_exit_says_how(status: int, reason: str):
    """INV-34: exit code or signal, in Lambda's words."""
    assert error_object.of_exit("id-1", status) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: id-1 Error: {reason}",
    }


def test_inv_35_out_of_memory():
    """INV-35: its own type, the message of a killed process."""
    assert error_object.of_memory("id-1") == {
        "errorType": "Runtime.OutOfMemory",
        "errorMessage": "RequestId: id-1 Error: Runtime exited with error: signal: killed",
    }


def test_inv_18_an_error_object_that_is_too_large_becomes_the_size_error():
    """INV-18: no answer is above the limit, failures included."""
    payload = error_object.to_json(error_object.of_exception(ValueError("x" * 7_000_000), "id-1"))

    assert json.loads(payload) == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (3, 3), (256, 0), ("message", 1)])
def test_inv_34_the_status_of_a_system_exit(code: object, status: int):
    """INV-34: as Python itself would end."""
    assert status == error_object.exit_status(SystemExit(code))
