"""Every log event, named once. Embedded, they go to the standard `logging` tree under `eventmap`; the host decides."""

from __future__ import annotations

import logging
from typing import Final, cast

import structlog

MAPPING_STARTED: Final = "mapping.started"
MAPPING_DRAINED: Final = "mapping.drained"
MAPPING_STALLED: Final = "mapping.stalled"
POLL_FAILED: Final = "poll.failed"
BATCH_SETTLED: Final = "batch.settled"  # the canonical line: one per batch
RECORD_DEAD_LETTERED: Final = "record.dead_lettered"
RECORD_REFUSED: Final = "record.refused"  # its MD5 does not match
RECEIPT_LOST: Final = "receipt.lost"  # the message may be delivered twice
SETTLEMENT_FAILED: Final = "settlement.failed"
ENVIRONMENT_INITIALIZED: Final = "environment.initialized"
ENVIRONMENT_INIT_FAILED: Final = "environment.init_failed"
ENVIRONMENT_KILLED: Final = "environment.killed"
ENVIRONMENT_STUCK: Final = "environment.stuck"
ENVIRONMENT_STOPPED: Final = "environment.stopped"
INVOCATION_TIMED_OUT: Final = "invocation.timed_out"
INVOCATION_FAILED: Final = "invocation.failed"
INVOCATION_REFUSED: Final = "invocation.refused"
FILTER_UNUSUAL: Final = "filter.unusual"


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger over the standard one called `name`, whatever structlog's global configuration says.

    A standard handler finds the event's name as the message, followed by its fields; the record carries both apart
    as `eventmap_event` (str) and `eventmap_fields` (dict).
    """
    return cast(
        structlog.stdlib.BoundLogger,
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[structlog.stdlib.filter_by_level, _to_record],
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        ),
    )


def _to_record(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> tuple[tuple[str], dict[str, object]]:
    name = str(event.pop("event"))
    exc_info = event.pop("exc_info", None)
    shown = " ".join(f"{key}={value!r}" for key, value in event.items())
    extra = {"eventmap_event": name, "eventmap_fields": dict(event)}
    return (f"{name} {shown}" if shown else name,), {"exc_info": exc_info, "extra": extra}
