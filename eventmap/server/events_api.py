"""EventBridge's API: JSON 1.1, one operation per request, errors as AWS writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeVar

import orjson

from eventmap import telemetry
from eventmap.errors import BusRefusal, ConfigurationError, InvalidPattern, SourceError, StateError
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import Definitions
from eventmap.rules.bus.operations import OPERATIONS
from eventmap.rules.bus.requests import REQUESTS
from eventmap.rules.bus.shapes import check
from eventmap.server.ports import ApiAnswer, ApiRequest

T = TypeVar("T")

BODY_LIMIT_BYTES: Final = 2_000_000
"""A request of PutEvents is a quarter of a megabyte at most, which escapes may make six times as long."""

TARGET_PREFIX: Final = "AWSEvents."

_PUT_EVENTS: Final = "PutEvents"
_WITH_SIZES: Final = frozenset({"DescribeArchive", "ListArchives"})
_JSON: Final = (b"content-type", b"application/x-amz-json-1.1")
_log = telemetry.logger("eventmap.server")


class EventBuses(Protocol):
    """What stands behind the API. Raises: BusRefusal, InvalidPattern; StateError, SourceError: nothing was done."""

    async def put_events(self, entries: Sequence[Mapping[str, Any]]) -> JsonObject:
        """The answer of PutEvents; what it says was taken is durable."""

    async def change(self, change: Callable[[Definitions, float], tuple[Definitions, T]]) -> T:
        """Make other definitions; durable, and in force, when it returns what `change` answers beside them."""

    async def archive_sizes(self) -> Mapping[str, tuple[int, int]]:
        """(events, bytes) of archives that hold any."""


class EventsApi:
    """An `eventmap.server.ports.Api` over event buses."""

    signing_name: Literal["lambda", "events"] = "events"
    body_limit_bytes: int = BODY_LIMIT_BYTES

    def __init__(self, buses: EventBuses) -> None:
        self._buses = buses

    def takes(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        return method == "POST" and path == "/" and headers.get("x-amz-target", "").startswith(TARGET_PREFIX)

    async def serve(self, request: ApiRequest) -> ApiAnswer:
        try:
            answer = await self._answer(request.headers["x-amz-target"].removeprefix(TARGET_PREFIX), request.body)
        except BusRefusal as error:
            return _refused(400, error.error_type, str(error))
        except InvalidPattern as error:
            return _refused(400, "InvalidEventPatternException", str(error))
        except ConfigurationError as error:
            return _refused(400, "ValidationException", str(error))
        except (StateError, SourceError) as error:
            _log.error(telemetry.REQUEST_FAILED, request_id=request.request_id, error=str(error))
            return _refused(500, "InternalException", "It could not be kept, so nothing was done; try again.")
        return ApiAnswer(200, orjson.dumps(answer), (_JSON,))

    async def _answer(self, operation: str, body: bytes) -> JsonObject:
        shape = REQUESTS.get(operation)
        if shape is None:
            raise BusRefusal(
                "UnknownOperationException",
                f"{operation} is not offered; offered are {', '.join(sorted(REQUESTS))}.",
            )
        members = _read(body)
        check(shape, members)
        if operation == _PUT_EVENTS:
            return await self._buses.put_events(members["Entries"])
        apply = OPERATIONS[operation]
        answer = await self._buses.change(lambda definitions, now: apply(definitions, members, now))
        return await self._with_sizes(answer) if operation in _WITH_SIZES else answer

    async def _with_sizes(self, answer: JsonObject) -> JsonObject:
        sizes = await self._buses.archive_sizes()

        def sized(archive: Any) -> JsonObject:
            count, size = sizes.get(archive["ArchiveName"], (0, 0))
            return {**archive, "EventCount": count, "SizeBytes": size}

        listed: Any = answer.get("Archives")
        return sized(answer) if listed is None else {**answer, "Archives": [sized(each) for each in listed]}


def _read(body: bytes) -> dict[str, Any]:
    """Raises: BusRefusal."""
    try:
        members = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BusRefusal("SerializationException", f"the request is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise BusRefusal("SerializationException", "the request is not a JSON object")
    return members


def _refused(status: int, error_type: str, message: str) -> ApiAnswer:
    return ApiAnswer(status, orjson.dumps({"__type": error_type, "message": message}), (_JSON,))
