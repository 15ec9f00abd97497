"""One event of every kind that is known (SRC-01..16)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from eventmap.model import JsonObject
from eventmap.rules.cognito import TRIGGERS
from eventmap.testing.events import (
    brokers,
    buckets,
    buses,
    change_streams,
    log_groups,
    queues,
    streams,
    topics,
    web_requests,
)
from eventmap.testing.events.user_pools import cognito
from eventmap.testing.events.web_sockets import websocket
from eventmap.testing.origin import HERE, Origin

_ORDER: Final[JsonObject] = {"id": 7, "customer": "ada"}

_SAMPLES: Final[Mapping[str, Callable[[Origin], JsonObject]]] = {
    "sqs": lambda origin: queues.sqs(_ORDER, attributes={"kind": "order"}, origin=origin),
    "sns": lambda origin: topics.sns(_ORDER, subject="placed", attributes={"kind": "order"}, origin=origin),
    "dynamodb": lambda origin: streams.dynamodb(
        streams.Change(new=_ORDER, old={"id": 7, "customer": "bob"}), origin=origin
    ),
    "kinesis": lambda origin: streams.kinesis(_ORDER, partition_key="ada", origin=origin),
    "s3": lambda origin: buckets.s3("photos", "uploads/cat 1.jpg", body=b"\xff\xd8\xff", origin=origin),
    "s3-test": lambda origin: buckets.s3_test("photos", origin=origin),
    "schedule": lambda origin: buses.schedule("nightly", origin=origin),
    "event-bridge": lambda origin: buses.event_bridge("shop.orders", "Order Placed", _ORDER, origin=origin),
    "alb": lambda origin: web_requests.alb("GET", "/orders/7?full=1", origin=origin),
    "function-url": lambda origin: web_requests.function_url("POST", "/orders", body=_ORDER, origin=origin),
    "http-v2": lambda origin: web_requests.http_v2(
        "GET", "/orders/7?full=1", route="GET /orders/{id}", headers={"Cookie": "session=1"}, origin=origin
    ),
    "http-v1": lambda origin: web_requests.http_v1(
        "PUT", "/orders/7?full=1", route="PUT /orders/{id}", body=_ORDER, origin=origin
    ),
    "websocket": lambda origin: websocket(_ORDER, origin=origin),
    "cognito": lambda origin: cognito(origin=origin),
    "logs": lambda origin: log_groups.logs("order 7 placed", origin=origin),
    "kafka": lambda origin: brokers.kafka(_ORDER, key="ada", headers={"kind": "order"}, origin=origin),
    "self-managed-kafka": lambda origin: brokers.self_managed_kafka(
        _ORDER, key="ada", headers={"kind": "order"}, origin=origin
    ),
    "active-mq": lambda origin: brokers.active_mq(_ORDER, properties={"kind": "order"}, origin=origin),
    "rabbit-mq": lambda origin: brokers.rabbit_mq(_ORDER, headers={"kind": "order"}, origin=origin),
    "documentdb": lambda origin: change_streams.documentdb(_ORDER, origin=origin),
}


def sample(kind: str, *, origin: Origin = HERE) -> JsonObject:
    """An event of the kind, as `kind_of` names it. Raises: KeyError for a name that is none."""
    return _SAMPLES[kind](origin)


def shapes(kind: str, *, origin: Origin = HERE) -> Iterator[tuple[str | None, JsonObject]]:
    """The kind's samples: one, called None, but of a user pool one for each trigger, by its first trigger source."""
    if kind == "cognito":
        for trigger in TRIGGERS:
            yield trigger.trigger_sources[0], cognito(trigger.trigger_sources[0], origin=origin)
    else:
        yield None, sample(kind, origin=origin)
