"""The states of a mapping, and what leads from one to the next (API-09, 55..61).

create ─▶ Creating ─▶ Enabled ◀─▶ (Disabling, Enabling, Updating) ◀─▶ Disabled ─▶ Deleting ─▶ gone
"""

from __future__ import annotations

from typing import Final, Literal

from eventmap.rules.mapping_api.source import Source

State = Literal["Creating", "Enabling", "Enabled", "Disabling", "Disabled", "Updating", "Deleting"]

SETTLED: Final = frozenset({"Enabled", "Disabled"})
"""All others are on the way to one of these, or away."""

FUNCTION_NOT_FOUND: Final = "Function not found"


def state_on_create(source: Source, *, enabled: bool) -> State:
    """API-56, 57: a queue's mapping that is not enabled has nothing to wait for."""
    return "Disabled" if source == "sqs" and not enabled else "Creating"


def state_on_update(*, was_enabled: bool, enabled: bool) -> State:
    """API-58, 59: the flag decides what a change is called, whatever else it changes."""
    if was_enabled == enabled:
        return "Updating"
    return "Enabling" if enabled else "Disabling"


def settled_state(*, enabled: bool) -> State:
    """What every transition but deletion leads to."""
    return "Enabled" if enabled else "Disabled"


def in_use(operation: Literal["update", "delete"]) -> str:
    """AWS' words to who changes a mapping that is changing (API-09)."""
    return f"Cannot {operation} the event source mapping because it is in use."


def user_reason(source: Source) -> str:
    """StateTransitionReason of what a caller asked for (API-61)."""
    return "USER_INITIATED" if source == "sqs" else "User action"
