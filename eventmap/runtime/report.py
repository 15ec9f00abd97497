"""The lines Lambda itself writes around an invocation (INV-130..133) and what it bills (INV-150, 151)."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Literal, Protocol

Status = Literal["success", "error", "timeout"]
Phase = Literal["init", "invoke"]


class InvocationLog(Protocol):
    """Who reads the lines of invocations; called on the event loop's thread and not expected to block."""

    @property
    def enabled(self) -> bool:
        """False when nobody reads: lines are then neither formatted nor passed on."""

    def line(self, function_name: str, request_id: str, text: str) -> None:
        """Take one record without its newline; only a traceback has some within. `request_id` is "" during Init."""


def start(request_id: str, version: str = "$LATEST") -> str:
    return f"START RequestId: {request_id} Version: {version}"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}"


def billed_duration_ms(duration_s: float, init_duration_s: float | None = None) -> int:
    """Whole milliseconds billed, at least 1; the Init of a cold start counts, None = warm (INV-150, 151)."""
    # Rounded to nanoseconds first: 3.0 s must not become 3001 ms by the way floats are stored.
    return max(1, math.ceil(round((duration_s + (init_duration_s or 0.0)) * 1000, 6)))


def report(
    request_id: str,
    *,
    duration_s: float,
    memory_size: int,
    max_memory_used_mb: int,
    init_duration_s: float | None = None,
    status: Status = "success",
    error_type: str | None = None,
) -> str:
    """The REPORT line; `init_duration_s` None = warm start, sizes in MB (INV-130)."""
    fields = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_s * 1000:.2f} ms",
        f"Billed Duration: {billed_duration_ms(duration_s, init_duration_s)} ms",
        f"Memory Size: {memory_size} MB",
        f"Max Memory Used: {max_memory_used_mb} MB",
    ]
    if init_duration_s is not None:
        fields.append(f"Init Duration: {init_duration_s * 1000:.2f} ms")
    if status != "success":
        fields.append(f"Status: {status}")
    if status == "error" and error_type is not None:
        fields.append(f"Error Type: {error_type}")
    return "\t".join(fields) + "\t"


def init_report(duration_s: float, phase: Phase, status: Status, error_type: str | None = None) -> str:
    """The line of an Init that failed; it has none when it succeeds (INV-132)."""
    text = f"INIT_REPORT Init Duration: {duration_s * 1000:.2f} ms\tPhase: {phase}\tStatus: {status}"
    return text if error_type is None else f"{text}\tError Type: {error_type}"


def timed_out(now: datetime, request_id: str, timeout_s: float) -> str:
    """The line that says an invocation ran out of time; `now` in UTC (INV-131)."""
    instant = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
    return f"{instant} {request_id} Task timed out after {timeout_s:.2f} seconds"


def exited(message: str, error_type: str) -> str:
    """The record of a process that ended: the error's message, its type below."""
    return f"{message}\n{error_type}"


def unhandled(error_type: str, message: str, frames: list[str]) -> str:
    """An unhandled exception as one record; each line's leading spaces become no-break spaces (INV-133)."""
    lines = [f"[ERROR] {error_type}: {message}", "Traceback (most recent call last):"]
    for frame in frames:
        for line in frame.splitlines():
            text = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(text)) + text)
    return "\n".join(lines)
