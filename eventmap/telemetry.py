"""Every log event, named once. Embedded, they go to the standard `logging` tree under `eventmap`; the host decides."""

from __future__ import annotations

from typing import Final

MAPPING_STARTED: Final = "mapping.started"
MAPPING_DRAINED: Final = "mapping.drained"
MAPPING_FAILED: Final = "mapping.failed"
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
