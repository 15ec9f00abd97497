"""The records that pollers put into events, of what the service answered: SQS, Kinesis and DynamoDB Streams."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from eventmap.model import JsonObject, JsonValue


def sqs_record(message: Mapping[str, Any], queue_arn: str, region: str) -> JsonObject:
    """The element of `Records` a message becomes (SQS-110..124), in the observed order of keys."""
    given: Mapping[str, Any] | None = message.get("MessageAttributes")
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: _sqs_attribute(value) for name, value in given.items()} if given else {},
        "md5OfMessageAttributes": message.get("MD5OfMessageAttributes"),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def kinesis_record(raw: Mapping[str, Any], shard_id: str, stream_arn: str, account: str, region: str) -> JsonObject:
    """The element of `Records` a raw record becomes, in the documented order of keys (STR-110..119)."""
    number = raw["SequenceNumber"]
    kinesis: JsonObject = {"kinesisSchemaVersion": "1.0"}
    if (key := raw.get("PartitionKey")) is not None:
        kinesis["partitionKey"] = key
    kinesis["sequenceNumber"] = number
    kinesis["data"] = raw["Data"]
    kinesis["approximateArrivalTimestamp"] = raw["ApproximateArrivalTimestamp"]
    if "EncryptionType" in raw:
        kinesis["encryptionType"] = raw["EncryptionType"]
    partition = stream_arn.split(":", 2)[1]
    return {
        "kinesis": kinesis,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:{partition}:iam::{account}:role/eventmap",
        "awsRegion": region,
        "eventSourceARN": stream_arn,
    }


def dynamodb_record(raw: Mapping[str, Any], stream_arn: str, region: str) -> JsonObject:
    """The element of `Records` a raw record becomes, in the documented order of keys (STR-120..131)."""
    change = raw["dynamodb"]
    body: JsonObject = {
        "eventID": raw["eventID"],
        "eventName": raw["eventName"],
        "eventVersion": raw.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": {
            **change,
            "ApproximateCreationDateTime": _shortest(change["ApproximateCreationDateTime"]),
        },
    }
    if identity := raw.get("userIdentity"):
        body["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
    body["eventSourceARN"] = stream_arn
    return body


def md5_of_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> str:
    """The digest SQS makes of message attributes, names in byte order (SQS-125)."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes, key=str.encode):
        value = attributes[name]
        binary = value["DataType"].startswith("Binary")
        content = b64decode(value["BinaryValue"]) if binary else str(value["StringValue"]).encode()
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack(">I", len(part)) + part)
        digest.update(b"\x02" if binary else b"\x01")
        digest.update(struct.pack(">I", len(content)) + content)
    return digest.hexdigest()


def _sqs_attribute(value: Mapping[str, Any]) -> JsonValue:
    """One message attribute; the two list members are always there and always empty (SQS-120..124)."""
    shaped: dict[str, JsonValue] = {}
    if "StringValue" in value:
        shaped["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shaped["binaryValue"] = value["BinaryValue"]
    return shaped | {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def _shortest(seconds: float) -> JsonValue:
    """Whole seconds without a fraction, as Lambda writes them; the wire has them as 1.7E9."""
    return int(seconds) if seconds == int(seconds) else seconds
