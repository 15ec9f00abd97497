"""DocumentDB's events, as a function gets them (SRC-146). Its change streams are not polled by eventmap."""

from __future__ import annotations

from typing import Literal

from eventmap.model import JsonObject, JsonValue
from eventmap.testing.events.content import needed
from eventmap.testing.origin import HERE, Origin

Operation = Literal["insert", "update", "replace", "delete"]


def documentdb(
    *documents: JsonObject,
    database: str = "shop",
    collection: str = "orders",
    operation: Operation = "insert",
    cluster: str = "demo",
    origin: Origin = HERE,
) -> JsonObject:
    """A batch of changes, one for each document, which is as it was afterwards; of a deletion only its `_id` counts.

    A document without an `_id` is given one. An update says that all of its members have changed, and has the whole
    document too, as with `FullDocument` UpdateLookup. Raises: InvalidParameterValue for no document.
    """
    changes: list[JsonValue] = [
        {"event": _change(document, number, database, collection, operation, origin)}
        for number, document in enumerate(needed(documents, "DocumentDB"))
    ]
    arn = origin.arn("rds", f"cluster:{cluster}")
    return {"eventSourceArn": arn, "events": changes, "eventSource": "aws:docdb"}


def _change(
    document: JsonObject, number: int, database: str, collection: str, operation: Operation, origin: Origin
) -> JsonObject:
    identity = document.get("_id", {"$oid": origin.hexadecimal("document", number, length=24)})
    change: JsonObject = {
        "_id": {"_data": origin.hexadecimal("change", number, length=36)},
        "clusterTime": {"$timestamp": {"t": origin.epoch_ms // 1_000, "i": number + 1}},
        "documentKey": {"_id": identity},
    }
    if operation != "delete":
        change["fullDocument"] = {"_id": identity, **document}
    change["ns"] = {"db": database, "coll": collection}
    change["operationType"] = operation
    if operation == "update":
        updated = {name: value for name, value in document.items() if name != "_id"}
        change["updateDescription"] = {"removedFields": [], "updatedFields": updated}
    return change
