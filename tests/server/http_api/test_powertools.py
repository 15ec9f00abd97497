"""Powertools for AWS Lambda reads our events, and answers them."""

from __future__ import annotations

from typing import Any

import pytest
from aws_lambda_powertools.event_handler import (
    ALBResolver,
    APIGatewayHttpResolver,
    APIGatewayRestResolver,
    LambdaFunctionUrlResolver,
    Response,
)
from aws_lambda_powertools.shared.cookies import Cookie
from aws_lambda_powertools.utilities.data_classes import (
    ALBEvent,
    APIGatewayProxyEvent,
    APIGatewayProxyEventV2,
    LambdaFunctionUrlEvent,
)

from eventmap.testing import http_api

pytestmark = pytest.mark.virtual_time

READERS = {
    "2.0": APIGatewayProxyEventV2,
    "1.0": APIGatewayProxyEvent,
    "url": LambdaFunctionUrlEvent,
    "alb": ALBEvent,
}
RESOLVERS = {
    "2.0": APIGatewayHttpResolver,
    "1.0": APIGatewayRestResolver,
    "url": LambdaFunctionUrlResolver,
    "alb": ALBResolver,
}


@pytest.mark.parametrize("payload_format", READERS)
async def test_src_90_95_100_103_its_data_classes_read_every_format(payload_format: Any) -> None:
    """SRC-90, SRC-95, SRC-100, SRC-103: method, path, query, headers, body."""
    read: dict[str, Any] = {}

    def handler(event, context):
        request = READERS[payload_format](event)
        read["method"] = request.http_method
        read["path"] = request.path
        read["query"] = request.get_query_string_value("a")
        read["header"] = request.headers["x-a"]
        read["json"] = request.json_body
        if payload_format != "alb":
            context = request.request_context
            read["ip"] = (context.http if payload_format in ("2.0", "url") else context.identity).source_ip
            read["stage"] = context.stage
            read["id"] = context.request_id
        return {"statusCode": 200, "body": ""}

    async with http_api(handler, route="POST /orders/{id}", payload_format=payload_format) as client:
        answer = await client.post("/orders/7?a=1", headers={"X-A": "b"}, json={"n": 1})

    assert answer.status_code == 200
    expected = {"method": "POST", "path": "/orders/7", "query": "1", "header": "b", "json": {"n": 1}}
    if payload_format != "alb":
        expected |= {"ip": "127.0.0.1", "stage": "$default", "id": answer.headers["x-amzn-requestid"]}
    assert read == expected


def resolver_app(payload_format: str, multi_value_headers: bool = False) -> Any:
    app = RESOLVERS[payload_format]()

    @app.get("/orders/<order_id>")
    def get(order_id: str) -> dict[str, str]:
        [q] = app.current_event.resolved_query_string_parameters["q"]
        return {"id": order_id, "q": q}

    @app.post("/orders")
    def post() -> Any:
        headers: Any = {"x-several": ["1", "2"]} if multi_value_headers else {"x-one": "1"}
        return Response(
            201, "application/json", app.current_event.json_body["body"], headers, [Cookie("a", "1"), Cookie("b", "2")]
        )

    @app.get("/binary")
    def binary() -> Any:
        return Response(200, "image/png", b"\x89PNG")

    return app.resolve


@pytest.mark.parametrize("payload_format", RESOLVERS)
async def test_src_92_97_104_its_resolvers_answer_in_every_format(payload_format: Any) -> None:
    """SRC-92, SRC-97, SRC-104: routes within one function, their statuses, headers, cookies and binary bodies."""
    settings: dict[str, Any] = {"binary_media_types": ["*/*"]} if payload_format == "1.0" else {}
    if payload_format == "alb":
        settings["multi_value_headers"] = True
    several = payload_format in ("1.0", "alb")
    async with http_api(resolver_app(payload_format, several), payload_format=payload_format, **settings) as client:
        found = await client.get("/orders/7?q=1")
        made = await client.post("/orders", json={"body": "ü"})
        binary = await client.get("/binary", headers={"accept": "image/png"})
        missing = await client.get("/nothing")

    assert (found.status_code, found.json()) == (200, {"id": "7", "q": "1"})
    assert (made.status_code, made.text) == (201, "ü")
    assert made.cookies == {"a": "1", "b": "2"}
    assert made.headers["x-several" if several else "x-one"] == ("1, 2" if several else "1")
    assert (binary.content, binary.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert (missing.status_code, missing.json()["statusCode"]) == (404, 404)
