"""Events of API Gateway's WebSocket API, as a function gets them. eventmap serves no WebSockets."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject
from eventmap.rules.http.request import clf_time
from eventmap.testing.events.content import text_of
from eventmap.testing.origin import HERE, Origin

_TYPES: Final = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}


def websocket(
    body: object = None,
    *,
    route_key: str = "$default",
    stage: str = "production",
    connection_id: str | None = None,
    headers: dict[str, str] | None = None,
    origin: Origin = HERE,
) -> JsonObject:
    """A frame a client sent; with the route key `$connect` or `$disconnect` its coming or going, without a body.

    What is no text is sent as JSON, None is none. Only a client that comes has headers.
    Raises: InvalidParameterValue for a body or headers where there can be none.
    """
    kind = _TYPES.get(route_key, "MESSAGE")
    if body is not None and kind != "MESSAGE":
        raise InvalidParameterValue(f"a client that does {route_key} sends no body")
    if headers and kind != "CONNECT":
        raise InvalidParameterValue(f"a WebSocket has headers on $connect, and none on {route_key}")
    event: JsonObject = {}
    if kind != "MESSAGE":
        shown = headers or {}
        event["headers"] = {**shown}
        event["multiValueHeaders"] = {name: [value] for name, value in shown.items()}
    event["requestContext"] = _context(kind, route_key, stage, connection_id, origin)
    if kind == "MESSAGE":
        event["body"] = None if body is None else text_of(body)
    event["isBase64Encoded"] = False
    return event


def _context(kind: str, route_key: str, stage: str, connection_id: str | None, origin: Origin) -> JsonObject:
    api = origin.hexadecimal("api", length=10)
    context: JsonObject = {"routeKey": route_key}
    if kind == "DISCONNECT":
        context |= {"disconnectStatusCode": 1005, "disconnectReason": "Client-side close frame status not set"}
    if kind == "MESSAGE":
        context["messageId"] = _identifier("frame", origin)
    return context | {
        "eventType": kind,
        "extendedRequestId": _identifier("request", origin),
        "requestTime": clf_time(origin.epoch_ms // 1_000),
        "messageDirection": "IN",
        "stage": stage,
        "connectedAt": origin.epoch_ms,
        "requestTimeEpoch": origin.epoch_ms,
        "identity": {"sourceIp": "127.0.0.1"},
        "requestId": _identifier("request", origin),
        "domainName": f"{api}.execute-api.{origin.region}.amazonaws.com",
        "connectionId": connection_id or _identifier("connection", origin),
        "apiId": api,
    }


def _identifier(of: str, origin: Origin) -> str:
    """As API Gateway writes them: `L0SM9cOFvHcCIhw=`."""
    return b64encode(bytes.fromhex(origin.hexadecimal(of, length=22))).decode()
