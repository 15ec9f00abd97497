"""Part: whatever else works in a service beside its mappings, from its start to its drain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio.abc import TaskStatus


class Part(Protocol):
    """Started after the functions and before the server lets anybody in; drained in the opposite order."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work until `drain` has ended."""

    async def drain(self, budget_s: float) -> int:
        """Begin nothing any more; returns how much of what ran was cut off after `budget_s` seconds."""

    def troubles(self) -> Sequence[str]:
        """A line for each thing that stands still now."""
