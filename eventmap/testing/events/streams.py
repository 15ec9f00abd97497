"""Events of Kinesis and DynamoDB streams, as a function gets them (STR-110..131)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from eventmap.errors import InvalidParameterValue, SourceError
from eventmap.model import JsonObject
from eventmap.rules.events.records import dynamodb_record, kinesis_record
from eventmap.testing import dynamodb_items, dynamodb_table
from eventmap.testing.dynamodb_table import EXPIRED_BY, ViewType
from eventmap.testing.events.content import base64_of, needed
from eventmap.testing.origin import HERE, Origin

_SHARD: Final = "shardId-000000000000"
_KINESIS_NUMBER: Final = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
_DYNAMODB_NUMBER: Final = 4_421_584_500_000_000_017_450_439_091


def kinesis(
    *data: object, stream: str = "clicks", partition_key: str | Sequence[str] = "1", origin: Origin = HERE
) -> JsonObject:
    """A batch of records of one shard, one for each piece of data: bytes, text, or what is sent as JSON.

    `partition_key` is of all of them, or a sequence with one for each.
    Raises: InvalidParameterValue for no data, or another number of keys.
    """
    needed(data, "Kinesis")
    keys = [partition_key] * len(data) if isinstance(partition_key, str) else list(partition_key)
    if len(keys) != len(data):
        raise InvalidParameterValue(f"there are {len(data)} records and {len(keys)} partition keys: give one for each")
    arn = origin.arn("kinesis", f"stream/{stream}")
    return {
        "Records": [
            kinesis_record(
                {
                    "PartitionKey": key,
                    "SequenceNumber": str(_KINESIS_NUMBER + origin.offset(number)),
                    "Data": base64_of(content),
                    "ApproximateArrivalTimestamp": origin.epoch_ms / 1_000,
                },
                _SHARD,
                arn,
                origin.account_id,
                origin.region,
            )
            for number, (content, key) in enumerate(zip(data, keys, strict=True))
        ]
    }


@dataclass(frozen=True, slots=True)
class Change:
    """A write to an item of a table: at least one of both is given.

    An item maps names to Python's values: text, int, float and Decimal, bool, None, bytes, lists, dictionaries, and
    sets of text, numbers or bytes.
    """

    new: Mapping[str, Any] | None = None  #: None = the item was deleted
    old: Mapping[str, Any] | None = None  #: None = it was not there before
    expired: bool = False  #: deleted by the table's time to live (STR-129)


def dynamodb(
    *changes: Change | Mapping[str, Any],
    table: str = "orders",
    keys: Sequence[str] = ("id",),
    view_type: ViewType = "NEW_AND_OLD_IMAGES",
    origin: Origin = HERE,
) -> JsonObject:
    """A batch of changes to items; an item by itself is one that was inserted.

    `keys` are the names of the table's partition key and, if it has one, of its sort key.
    Raises: InvalidParameterValue for no change, an item without its keys, and a value that no attribute can have.
    """
    arn = origin.arn("dynamodb", f"table/{table}/stream/{origin.iso().removesuffix('Z')}")
    return {
        "Records": [
            dynamodb_record(_raw(_change(each, keys), each, number, view_type, origin), arn, origin.region)
            for number, each in enumerate(needed(changes, "DynamoDB"))
        ]
    }


def attribute_value(value: Any) -> dict[str, Any]:
    """A Python value as DynamoDB's JSON has it (STR-131). Raises: InvalidParameterValue for one that it cannot be."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": b64encode(value).decode()}
        case None:
            return {"NULL": True}
        case list() | tuple():
            return {"L": [attribute_value(each) for each in value]}
        case Mapping():
            return {"M": _item(value)}
        case set() | frozenset() if value:
            members = [next(iter(attribute_value(each).items())) for each in value]
            kinds = {kind for kind, _ in members}
            if len(kinds) == 1 and kinds <= {"S", "N", "B"}:
                return {f"{kinds.pop()}S": [content for _, content in members]}
    raise InvalidParameterValue(f"no attribute of an item can be {value!r}")


def _item(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: attribute_value(value) for name, value in item.items()}


def _change(given: Change | Mapping[str, Any], key_names: Sequence[str]) -> dynamodb_table.Change:
    change = given if isinstance(given, Change) else Change(new=given)
    if change.new is None and change.old is None:
        raise InvalidParameterValue("a change has a new item, or the old one, or both")
    if change.expired and change.new is not None:
        raise InvalidParameterValue("what has expired is gone: it has an old item only")
    try:
        new, old = (
            None if item is None else dynamodb_items.canonical_item(_item(item)) for item in (change.new, change.old)
        )
    except SourceError as error:
        raise InvalidParameterValue(str(error)) from None
    images = [image for image in (new, old) if image is not None]
    for name in key_names:
        values = [image.get(name) for image in images]
        if values[0] is None or values[0].keys() & {"S", "N", "B"} == set() or values[0] != values[-1]:
            raise InvalidParameterValue(
                f"every item needs the table's key {name!r}, a text, a number or bytes, and keeps it: {images}"
            )
    return dynamodb_table.Change({name: images[0][name] for name in key_names}, old, new)


def _raw(
    change: dynamodb_table.Change, given: Change | Mapping[str, Any], number: int, view_type: ViewType, origin: Origin
) -> dict[str, Any]:
    images = change.images(view_type)
    raw: dict[str, Any] = {
        "eventID": origin.hexadecimal("change", number),
        "eventName": change.event_name,
        "eventVersion": "1.1",
        "dynamodb": {
            "ApproximateCreationDateTime": float(origin.epoch_ms // 1_000),
            "Keys": change.keys,
            **images,
            "SequenceNumber": str(_DYNAMODB_NUMBER + origin.offset(number)),
            "SizeBytes": sum(map(dynamodb_items.item_bytes, (change.keys, *images.values()))),
            "StreamViewType": view_type,
        },
    }
    if isinstance(given, Change) and given.expired:
        raw["userIdentity"] = dict(EXPIRED_BY)
    return raw
