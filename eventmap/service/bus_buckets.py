"""A bucket whose changes are put on event buses of the service, over a queue of our own (SRC-31)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import orjson

from eventmap.clock import wall_time_s
from eventmap.delivery.bus.engine import BusEngine
from eventmap.event_rule import EventRule
from eventmap.rules.bus.sources import s3_event
from eventmap.service.buckets import PreparedBucket, prepare_bucket
from eventmap.service.connections import Connections
from eventmap.service.intake import RunningIntake
from eventmap.subscription import S3Notification

_PURPOSE: Final = "event buses"


class BusBucket:
    """A bucket that exists, and the buses it is for; it tells nobody of ours yet.

    One notification serves all of the buses: S3 takes no two for the same changes (SRC-26).
    """

    way: Literal["queue"] = "queue"

    def __init__(self, bucket: PreparedBucket, buses: Sequence[str], engine: BusEngine) -> None:
        self.arn: str = bucket.arn
        self._bucket = bucket
        self._buses = tuple(buses)
        self._engine = engine

    @property
    def addressee(self) -> str:
        """Who is told, in words."""
        return f"event bus{'es' if len(self._buses) > 1 else ''} {', '.join(self._buses)}"

    async def connect(self) -> RunningIntake:
        """Have the bucket tell a queue of ours. Raises: ConfigurationError, SourceError."""
        return await self._bucket.connect(self._publish)

    async def disconnect(self) -> None:
        """Take the notification back. Raises: SourceError."""
        await self._bucket.disconnect()

    async def _publish(self, payload: bytes, *, request_id: str, qualifier: str = "", trace_id: str = "") -> bool:
        """An `Accept`. Neither `request_id` nor `qualifier` counts: the change itself names its event, on every bus.

        What comes again makes deliveries that are known already.
        """
        document: Any = orjson.loads(payload)
        for record in document["Records"]:
            event = s3_event(record, self._engine.region, now=wall_time_s())
            assert event is not None  # nothing else was asked for, and what was not is passed over
            for bus in self._buses:
                await self._engine.publish(replace(event, trace_id=trace_id), bus)
        return True


async def prepare_bus_buckets(
    rules: Iterable[EventRule], engine: BusEngine, connections: Connections
) -> list[BusBucket]:
    """Each bucket that any rule names once; nothing is asked of it yet.

    Raises: BucketNotFound, ConfigurationError, SourceError.
    """
    buses: dict[str, list[str]] = {}  # by bucket
    notifications: dict[str, S3Notification] = {}  # the first rule's: so the queue keeps its name as others are added
    for rule in rules:
        for notification in rule.notifications:
            name = notification.bucket_name
            notifications.setdefault(name, notification)
            if rule.event_bus_name not in buses.setdefault(name, []):
                buses[name].append(rule.event_bus_name)
    return [
        BusBucket(await prepare_bucket(notification, connections, purpose=_PURPOSE), buses[name], engine)
        for name, notification in notifications.items()
    ]
