"""LambdaContext: the second argument of a handler (INV-100..111).

The child loads this file without the rest of eventmap, so it imports almost nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

_CLIENT_FIELDS: Final = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
_W3C_FIELDS: Final = ("traceparent", "tracestate", "baggage")


class CognitoIdentity:
    """Who called through Cognito; both None for every event source (INV-105)."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self) -> None:
        self.cognito_identity_id: str | None = None
        self.cognito_identity_pool_id: str | None = None

    def __repr__(self) -> str:
        return _listing(self, self.__slots__)


class Client:
    """The mobile application that called; a field it did not send is None (INV-106)."""

    __slots__ = _CLIENT_FIELDS

    def __init__(self, fields: Mapping[str, Any]) -> None:
        for name in _CLIENT_FIELDS:
            setattr(self, name, fields.get(name))

    def __repr__(self) -> str:
        return _listing(self, _CLIENT_FIELDS)


class ClientContext:
    """What the caller sent beside the event; a part it did not send is None (INV-106)."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, sent: Mapping[str, Any]) -> None:
        client = sent.get("client")
        self.client: Client | None = None if client is None else Client(client)
        self.custom: dict[str, Any] | None = sent.get("custom")
        self.env: dict[str, Any] | None = sent.get("env")

    def __repr__(self) -> str:
        return _listing(self, ("custom", "env", "client"))


class LambdaContext:
    """What a handler may ask about its invocation.

    `deadline` is an instant in seconds on `clock`; `invoked_arn` None = the function's own. Rules: INV-100..111.
    Raises: AttributeError or TypeError if `client_context` is not of the documented shape.
    """

    # `__dict__` is there because middleware hangs attributes of its own on the context; it costs nothing until used.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_clock",
        "_deadline",
        "_w3c",
        "aws_request_id",
        "client_context",
        "function_name",
        "function_version",
        "identity",
        "invoked_function_arn",
        "log_group_name",
        "log_stream_name",
        "memory_limit_in_mb",
        "tenant_id",
    )

    def __init__(
        self,
        aws_request_id: str,
        place: Place,
        *,
        deadline: float,
        clock: Callable[[], float],
        client_context: Mapping[str, Any] | None = None,
        invoked_arn: str | None = None,
    ) -> None:
        self.aws_request_id: str = aws_request_id
        self.function_name: str = place.function_name
        self.function_version: str = place.function_version
        self.invoked_function_arn: str = invoked_arn or place.function_arn
        self.memory_limit_in_mb: str = place.memory_limit_in_mb
        self.log_group_name: str = place.log_group_name
        self.log_stream_name: str = place.log_stream_name
        self.identity: CognitoIdentity = CognitoIdentity()
        self.client_context: ClientContext | None = None if client_context is None else ClientContext(client_context)
        self.tenant_id: str | None = None
        self._w3c: Mapping[str, Any] | None = None if client_context is None else client_context.get("w3c")
        self._deadline = deadline
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is timed out, never below 0 (INV-107)."""
        return max(int((self._deadline - self._clock()) * 1000), 0)

    def w3c(self) -> dict[str, str]:
        """The W3C trace headers the caller sent in its client context; empty if none (INV-109)."""
        sent = self._w3c if isinstance(self._w3c, dict) else {}
        return {name: sent[name] for name in _W3C_FIELDS if isinstance(sent.get(name), str)}

    def log(self, msg: object) -> None:
        """Write `msg` to standard output as it is, without a newline (INV-110)."""
        sys.stdout.write(str(msg))

    def __repr__(self) -> str:
        return _listing(
            self,
            (
                "aws_request_id",
                "log_group_name",
                "log_stream_name",
                "function_name",
                "memory_limit_in_mb",
                "function_version",
                "invoked_function_arn",
                "client_context",
                "identity",
                "tenant_id",
            ),
        )


class Place:
    """The part of a context that every invocation in one environment shares (INV-100, 102, 104)."""

    __slots__ = (
        "function_arn",
        "function_name",
        "function_version",
        "log_group_name",
        "log_stream_name",
        "memory_limit_in_mb",
    )

    def __init__(
        self,
        function_name: str,
        *,
        function_arn: str,
        memory_limit_in_mb: str,
        log_stream_name: str,
        function_version: str = "$LATEST",
    ) -> None:
        self.function_name: str = function_name
        self.function_version: str = function_version
        self.function_arn: str = function_arn
        self.memory_limit_in_mb: str = memory_limit_in_mb
        self.log_group_name: str = f"/aws/lambda/{function_name}"
        self.log_stream_name: str = log_stream_name


def _listing(thing: object, names: tuple[str, ...]) -> str:
    return f"{type(thing).__name__}([{','.join(f'{name}={getattr(thing, name)}' for name in names)}])"
