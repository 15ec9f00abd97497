"""Tumbling windows: which one a record belongs to, the event of an invocation, and the state it hands on.

first record ──▶ invocations with the records so far, each given the state the one before returned
                   │ a record of a later window, the shard's end, or the window's own end
                   ▼
                 final invocation, often without records ──▶ checkpoint, state dropped; the next window begins with {}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from eventmap.model import Event, JsonObject, StreamRecord

STATE_LIMIT_BYTES: Final = 1_048_576
"""A larger state ends its window early (STR-84)."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of arrival times, in epoch seconds; `end_s` belongs to the next window."""

    start_s: int
    end_s: int

    def to_json(self) -> JsonObject:
        """As events and reports show it: ISO 8601 in whole seconds, `Z` (STR-80)."""
        return {"start": _iso(self.start_s), "end": _iso(self.end_s)}


def window_of(arrived_at: float, length_s: int) -> Window:
    """The window of a record by its arrival time; windows of `length_s`, from 1, count from the epoch (STR-85)."""
    start = int(arrived_at // length_s) * length_s
    return Window(start, start + length_s)


def window_event(
    records: Sequence[StreamRecord],
    window: Window,
    state: JsonObject,
    *,
    shard_id: str,
    stream_arn: str,
    is_final: bool,
    is_early: bool = False,
) -> Event:
    """The event of one invocation (STR-80); a window's final one may have no records (STR-83).

    `is_early`: the window ends because its state grew too large; `is_final` is then true, too (STR-84).
    """
    return Event(
        {
            "Records": [record.body for record in records],
            "window": window.to_json(),
            "state": state,
            "shardId": shard_id,
            "eventSourceARN": stream_arn,
            "isFinalInvokeForWindow": is_final,
            "isWindowTerminatedEarly": is_early,
        }
    )


def read_state(payload: bytes) -> JsonObject | None:
    """The state a response hands on (STR-81, 82); None = it has no `state` object, so the invocation has failed.

    A state nested so deep that no event could carry it counts as none.
    """
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    state = answer.get("state") if isinstance(answer, dict) else None
    if not isinstance(state, dict):
        return None
    try:
        orjson.dumps({"state": state})  # it reads deeper than it writes
    except TypeError:
        return None
    return state


def is_oversized(state: JsonObject) -> bool:
    """Whether a state ends its window early (STR-84)."""
    return len(orjson.dumps(state)) > STATE_LIMIT_BYTES


def saved_window(window: Window, state: JsonObject) -> JsonObject:
    """A window under way, as it is kept with the checkpoint (STR-202)."""
    return {"start": window.start_s, "end": window.end_s, "state": state}


def restored_window(saved: JsonObject) -> tuple[Window, JsonObject]:
    """The window and the state that `saved_window` kept. Raises: ValueError for anything else."""
    match saved:
        case {"start": int(start), "end": int(end), "state": dict(state)}:
            return Window(start, end), state
        case _:
            raise ValueError(f"not a saved window: its members are {', '.join(map(repr, saved)) or 'none'}")


def _iso(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
