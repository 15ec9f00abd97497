"""What a function is told by a scheduled run, and how the run is known (SRC-78, 83)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from eventmap.rules.partition import partition

_RUNS: Final = uuid.UUID("6b0f7c9e-2f0d-4f0e-9a56-1d5c2a6d3c11")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a schedule."""

    time: int  #: when it was to begin, epoch seconds; it may begin later
    request_id: str  #: the same whoever begins it, and however often

    @property
    def event_id(self) -> str:
        return str(uuid.uuid5(_RUNS, self.request_id))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a schedule is."""

    name: str
    region: str
    account_id: str
    of_scheduler: bool  #: EventBridge Scheduler's; else it is a rule's

    @property
    def arn(self) -> str:
        service, resource = ("scheduler", "schedule/default") if self.of_scheduler else ("events", "rule")
        return f"arn:{partition(self.region)}:{service}:{self.region}:{self.account_id}:{resource}/{self.name}"


def run_at(key: str, time: int) -> Run:
    """The run at `time` of the schedule that is known by `key`."""
    return Run(time, str(uuid.uuid5(_RUNS, f"{key}\0{time}")))


def scheduled_event(run: Run, origin: Origin) -> bytes:
    """The event of a schedule without an input, as JSON text (SRC-78, 83); Scheduler's `detail` is text."""
    return orjson.dumps(
        {
            "version": "0",
            "id": run.event_id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler" if origin.of_scheduler else "aws.events",
            "account": origin.account_id,
            "time": timestamp(run.time),
            "region": origin.region,
            "resources": [origin.arn],
            "detail": "{}" if origin.of_scheduler else {},
        }
    )


def with_context(text: bytes, run: Run, origin: Origin) -> bytes:
    """An input, as JSON text, with Scheduler's context attributes replaced (SRC-83).

    The attempt is always the first: it is the accepted event that is tried again, by the function's own rules.
    """
    if b"<aws.scheduler." not in text:
        return text
    for name, value in (
        ("schedule-arn", origin.arn),
        ("scheduled-time", timestamp(run.time)),
        ("execution-id", run.event_id),
        ("attempt-number", "1"),
    ):
        text = text.replace(f"<aws.scheduler.{name}>".encode(), value.encode())
    return text


def timestamp(time: int) -> str:
    """Such as 2026-01-05T10:00:00Z."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
