"""Lambda's API beside Invoke: operations by method and path, their parameters read, their errors as AWS writes them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote

import orjson

from eventmap import telemetry
from eventmap.errors import (
    ConfigurationError,
    ConstraintViolated,
    ResourceConflict,
    SourceError,
    StateError,
    TransientSourceError,
)
from eventmap.model import JsonObject
from eventmap.server.ports import ApiAnswer, ApiRequest

BODY_LIMIT_BYTES: Final = 70_000_000
"""A zip of 50 MB in base64, and its parameters."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_JSON: Final = (b"content-type", b"application/json")
_log = telemetry.logger("eventmap.server")


class ApiError(Exception):
    """Raised by an operation that refuses: answered as AWS answers."""

    def __init__(self, status: int, error_type: str, message: str, **members: object) -> None:
        """`members` are further ones of the body, such as Reason."""
        super().__init__(message)
        self.status: int = status
        self.error_type: str = error_type
        self.message: str = message
        self.members: Mapping[str, object] = members


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation."""

    parameters: Mapping[str, str]  #: of the path, percent-decoded, by the names in the template
    query: Mapping[str, Sequence[str]]  #: percent-decoded
    body: JsonObject  #: {} = there was none
    request_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: `template` such as `/2015-03-31/event-source-mappings/{UUID}`, a parameter being one segment."""

    operation: str  #: botocore's name of it
    method: str
    template: str
    status: int  #: of an answer that is not an error
    answer: Callable[[Call], Awaitable[JsonObject | None]]
    """None = an empty body. Raises: ApiError; and ConfigurationError, SourceError, StateError, which are translated."""


class LambdaApi:
    """Groups of routes under one roof."""

    signing_name: Literal["lambda", "events"] = "lambda"
    body_limit_bytes: int = BODY_LIMIT_BYTES

    def __init__(self, *groups: Sequence[Route]) -> None:
        self._routes = [(_pattern(route.template), route) for group in groups for route in group]

    def takes(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Paths that begin with the date of an API version; Invoke and ping were taken before."""
        return any(pattern.fullmatch(_plain(path)) for pattern, _ in self._routes)

    async def serve(self, request: ApiRequest) -> ApiAnswer:
        try:
            route, parameters = self._find(request.method, _plain(request.path))
            call = Call(
                parameters,
                parse_qs(request.query, keep_blank_values=True),
                _read(request.body),
                request.request_id,
            )
            answered = await route.answer(call)
        except ApiError as error:
            return _refused(error)
        except (StateError, TransientSourceError) as error:
            _log.error(telemetry.REQUEST_FAILED, request_id=request.request_id, error=str(error))
            return _refused(ApiError(500, "ServiceException", str(error)))
        except (ConfigurationError, SourceError) as error:
            status, error_type = _translated(error)
            return _refused(ApiError(status, error_type, str(error)))
        return ApiAnswer(route.status, b"" if answered is None else orjson.dumps(answered), (_JSON,))

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Raises: ApiError."""
        allowed = []
        for pattern, route in self._routes:
            if (match := pattern.fullmatch(path)) is None:
                continue
            if route.method == method:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
            allowed.append(route.method)
        raise ApiError(405, "MethodNotAllowedException", f"{method} is not allowed here; use {' or '.join(allowed)}")


def _translated(error: ConfigurationError | SourceError) -> tuple[int, str]:
    """AWS' exception of what was refused below the API."""
    match error:
        case ConstraintViolated():
            return 400, "ValidationException"
        case ResourceConflict():
            return 409, "ResourceConflictException"
        case _:
            return 400, "InvalidParameterValueException"


def _plain(path: str) -> str:
    return path.removesuffix("/")


def _pattern(template: str) -> re.Pattern[str]:
    pieces = _PARAMETER.split(template.removesuffix("/"))
    return re.compile("".join(f"(?P<{piece}>[^/]+)" if i % 2 else re.escape(piece) for i, piece in enumerate(pieces)))


def _read(body: bytes) -> JsonObject:
    """Raises: ApiError."""
    if not body:
        return {}
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(
            400, "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from None
    if not isinstance(document, dict):
        raise ApiError(400, "InvalidRequestContentException", "Could not parse request body into json: not an object")
    return document


def _refused(error: ApiError) -> ApiAnswer:
    # botocore's model reads `Message` of some errors and `message` of others; both are there, as in none of AWS' own.
    document = {"Type": "User" if error.status < 500 else "Service", **error.members}
    document |= {"Message": error.message, "message": error.message}
    return ApiAnswer(error.status, orjson.dumps(document), (_JSON, (b"x-amzn-errortype", error.error_type.encode())))
