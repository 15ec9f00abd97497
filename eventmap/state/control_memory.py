"""What the control APIs were told, in memory: for tests, and for services that begin anew."""

from __future__ import annotations

import orjson

from eventmap.model import JsonObject
from eventmap.state.control_sqlite import Changes


class MemoryControl:
    """A ControlStore that forgets at the end of the process."""

    def __init__(self) -> None:
        self._documents: dict[tuple[str, str], bytes] = {}

    async def prepare(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""

    async def read(self, kind: str) -> dict[str, JsonObject]:
        """The documents of one kind, by key."""
        found = sorted((at[1], text) for at, text in self._documents.items() if at[0] == kind)
        return {key: orjson.loads(text) for key, text in found}

    async def write(self, changes: Changes) -> None:
        """All of them."""
        # As bytes: what was handed over may be changed afterwards, here as with a file.
        self._documents |= {at: orjson.dumps(document) for at, document in changes.items() if document is not None}
        for at in [at for at, document in changes.items() if document is None]:
            self._documents.pop(at, None)
