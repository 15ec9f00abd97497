"""The operations on event source mappings, by method and path (API-01..05)."""

from __future__ import annotations

from typing import Final

from eventmap.control.mappings import ControlledMappings
from eventmap.model import JsonObject
from eventmap.server.lambda_api import Call, Route

_ALL: Final = "/2015-03-31/event-source-mappings"
_ONE: Final = f"{_ALL}/{{UUID}}"


def mapping_routes(mappings: ControlledMappings) -> list[Route]:
    """Their tags have a route of their own: `tags.tag_routes({"event-source-mapping": mappings, …})`."""

    async def create(call: Call) -> JsonObject:
        return await mappings.create(call.body)

    async def get(call: Call) -> JsonObject:
        return mappings.get(call.parameters["UUID"])

    async def list_all(call: Call) -> JsonObject:
        return mappings.list(call.query)

    async def update(call: Call) -> JsonObject:
        return await mappings.update(call.parameters["UUID"], call.body)

    async def delete(call: Call) -> JsonObject:
        return await mappings.delete(call.parameters["UUID"])

    return [
        Route("CreateEventSourceMapping", "POST", _ALL, 202, create),
        Route("GetEventSourceMapping", "GET", _ONE, 200, get),
        Route("ListEventSourceMappings", "GET", _ALL, 200, list_all),
        Route("UpdateEventSourceMapping", "PUT", _ONE, 202, update),
        Route("DeleteEventSourceMapping", "DELETE", _ONE, 202, delete),
    ]
