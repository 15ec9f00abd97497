"""Events of Kafka and Amazon MQ, as a function gets them (SRC-140..144). Their brokers are not polled by eventmap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.model import JsonObject, JsonValue
from eventmap.testing.events.content import base64_of, bytes_of, needed
from eventmap.testing.origin import HERE, Origin

_BASIC_PROPERTIES: Final = (
    *("contentType", "contentEncoding", "headers", "deliveryMode", "priority", "correlationId", "replyTo"),
    *("expiration", "messageId", "timestamp", "type", "userId", "appId", "clusterId", "bodySize"),
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def kafka(
    *values: object,
    topic: str = "orders",
    partition: int = 0,
    key: object = None,
    headers: Mapping[str, object] | None = None,
    offset: int = 0,
    cluster: str = "demo",
    origin: Origin = HERE,
) -> JsonObject:
    """Records of one partition, as Amazon MSK's: bytes, text, or what is sent as JSON; the first has this `offset`.

    `key` None = the records have none. Raises: InvalidParameterValue for no value.
    """
    arn = origin.arn("kafka", f"cluster/{cluster}/{origin.uuid(cluster)}-1")
    servers = (
        f"b-1.{cluster}.kafka.{origin.region}.amazonaws.com:9092,b-2.{cluster}.kafka.{origin.region}.amazonaws.com:9092"
    )
    records = _kafka_records(values, topic, partition, key, headers, offset, origin)
    return {"eventSource": "aws:kafka", "eventSourceArn": arn, "bootstrapServers": servers, "records": records}


def self_managed_kafka(
    *values: object,
    topic: str = "orders",
    partition: int = 0,
    key: object = None,
    headers: Mapping[str, object] | None = None,
    offset: int = 0,
    bootstrap_servers: str = "kafka.example.com:9092",
    origin: Origin = HERE,
) -> JsonObject:
    """The same of a cluster of your own; `bootstrap_servers` are separated by commas."""
    records = _kafka_records(values, topic, partition, key, headers, offset, origin)
    return {"eventSource": "SelfManagedKafka", "bootstrapServers": bootstrap_servers, "records": records}


def active_mq(
    *messages: object,
    queue: str = "orders",
    broker: str = "demo",
    properties: Mapping[str, str] | None = None,
    redelivered: bool = False,
    origin: Origin = HERE,
) -> JsonObject:
    """Messages of an ActiveMQ queue: bytes as a bytes message, anything else as a text message.

    Raises: InvalidParameterValue for no message.
    """
    arn = _broker_arn(broker, origin)
    host = f"b-{origin.uuid(broker)}-1.mq.{origin.region}.amazonaws.com"
    return {
        "eventSource": "aws:amq",
        "eventSourceArn": arn,
        "messages": [
            {
                "messageID": f"ID:{host}-37557-{origin.epoch_ms}-4:1:1:1:{origin.offset(number) + 1}",
                "messageType": "jms/bytes-message" if isinstance(message, bytes) else "jms/text-message",
                "data": base64_of(message),
                "connectionId": f"ID:{host}-37557-{origin.epoch_ms}-4:1",
                "redelivered": redelivered,
                "destination": {"physicalName": queue},
                "timestamp": origin.epoch_ms,
                "brokerInTime": origin.epoch_ms,
                "brokerOutTime": origin.epoch_ms + 1,
                "properties": dict(properties or {}),
            }
            for number, message in enumerate(needed(messages, "ActiveMQ"))
        ],
    }


def rabbit_mq(
    *messages: object,
    queue: str = "orders",
    virtual_host: str = "/",
    broker: str = "demo",
    headers: Mapping[str, object] | None = None,
    properties: JsonObject | None = None,
    redelivered: bool = False,
    origin: Origin = HERE,
) -> JsonObject:
    """Messages of a RabbitMQ queue: bytes, text, or what is sent as JSON.

    Of `headers` text becomes the bytes Lambda shows. `properties` replace some of a message's `basicProperties`.
    Raises: InvalidParameterValue for no message, and for a property that no message has.
    """
    unknown = sorted((properties or {}).keys() - set(_BASIC_PROPERTIES))
    if unknown:
        raise InvalidParameterValue(
            f"a message of RabbitMQ has no property {unknown[0]!r}; it has {', '.join(_BASIC_PROPERTIES)}"
        )
    records: list[JsonValue] = [
        {
            "basicProperties": {**_basic_properties(message, headers, origin), **(properties or {})},
            "redelivered": redelivered,
            "data": base64_of(message),
        }
        for message in needed(messages, "RabbitMQ")
    ]
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": _broker_arn(broker, origin),
        "rmqMessagesByQueue": {f"{queue}::{virtual_host}": records},
    }


def _kafka_records(
    values: tuple[object, ...],
    topic: str,
    partition: int,
    key: object,
    headers: Mapping[str, object] | None,
    offset: int,
    origin: Origin,
) -> JsonObject:
    records: list[JsonValue] = []
    for number, value in enumerate(needed(values, "Kafka")):
        record: JsonObject = {
            "topic": topic,
            "partition": partition,
            "offset": offset + number,
            "timestamp": origin.epoch_ms,
            "timestampType": "CREATE_TIME",
        }
        if key is not None:
            record["key"] = base64_of(key)
        record["value"] = base64_of(value)
        record["headers"] = [{name: _signed(content)} for name, content in (headers or {}).items()]
        records.append(record)
    return {f"{topic}-{partition}": records}


def _signed(content: object) -> list[JsonValue]:
    """Java's bytes: those above 127 are negative (SRC-140)."""
    return [byte - 256 if byte > 127 else byte for byte in bytes_of(content)]


def _basic_properties(message: object, headers: Mapping[str, object] | None, origin: Origin) -> JsonObject:
    properties: JsonObject = dict.fromkeys(_BASIC_PROPERTIES)
    properties["contentType"] = "text/plain"
    properties["headers"] = {name: _header(value) for name, value in (headers or {}).items()}
    properties["deliveryMode"] = 1
    properties["timestamp"] = _javas_date(origin)
    properties["bodySize"] = len(bytes_of(message))
    return properties


def _header(value: object) -> JsonValue:
    return value if isinstance(value, int | float) else {"bytes": [*bytes_of(value)]}


def _javas_date(origin: Origin) -> str:
    """`Jan 1, 2026, 12:33:41 AM`, whatever language this machine speaks."""
    at = origin.at.astimezone(UTC)
    half = "PM" if at.hour > 11 else "AM"
    return f"{_MONTHS[at.month - 1]} {at.day}, {at.year}, {at.hour % 12 or 12}:{at:%M:%S} {half}"


def _broker_arn(broker: str, origin: Origin) -> str:
    return origin.arn("mq", f"broker:{broker}:b-{origin.uuid(broker)}")
