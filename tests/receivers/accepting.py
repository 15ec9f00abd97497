"""A function's `accept`, as receivers see it: what it took, and how it fails."""

from __future__ import annotations

import json
from typing import Any

from eventmap.errors import EventmapError


class Accepting:
    """Remembers what it accepted, as the asynchronous queue does; raises `failure` instead while there is one."""

    def __init__(self) -> None:
        self.payloads: dict[str, bytes] = {}  #: by request id
        self.trace_ids: list[str] = []
        self.failure: EventmapError | None = None

    async def __call__(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        if self.failure is not None:
            raise self.failure
        self.trace_ids.append(trace_id)
        if request_id in self.payloads:
            return False
        self.payloads[request_id] = payload
        return True

    @property
    def events(self) -> list[Any]:
        """What was accepted, in order."""
        return [json.loads(payload) for payload in self.payloads.values()]
