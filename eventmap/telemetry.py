"""Every log event, named once. Embedded, they go to the standard `logging` tree under `eventmap`; the host decides."""

from __future__ import annotations

import logging
from typing import Final, cast

import structlog

MAPPING_STARTED: Final = "mapping.started"
MAPPING_DRAINED: Final = "mapping.drained"
MAPPING_STALLED: Final = "mapping.stalled"
MAPPING_CHANGED: Final = "mapping.changed"  # by the API: what its state is now
MAPPING_CHANGE_FAILED: Final = "mapping.change_failed"  # by a defect of ours
MAPPING_DISABLED: Final = "mapping.disabled"  # its source or function is gone
MAPPING_WAITING: Final = "mapping.waiting"  # to be started, stopped or recorded, for what cannot be reached now
CHECKPOINTS_LEFT: Final = "checkpoints.left"  # of a mapping that was deleted
POLL_FAILED: Final = "poll.failed"
BATCH_SETTLED: Final = "batch.settled"  # the canonical line: one per batch
RECORD_DEAD_LETTERED: Final = "record.dead_lettered"
RECORD_REFUSED: Final = "record.refused"  # its MD5 does not match, or it is no event of the queue
RECEIPT_LOST: Final = "receipt.lost"  # the message may be delivered twice
SETTLEMENT_FAILED: Final = "settlement.failed"
FUNCTION_CHANGED: Final = "function.changed"  # by the API: created, updated or deleted
FUNCTION_FAILED: Final = "function.failed"  # one of the API cannot be started
ENVIRONMENT_INITIALIZED: Final = "environment.initialized"
ENVIRONMENT_INIT_FAILED: Final = "environment.init_failed"
ENVIRONMENT_KILLED: Final = "environment.killed"
ENVIRONMENT_STUCK: Final = "environment.stuck"
ENVIRONMENT_STOPPED: Final = "environment.stopped"
INVOCATION_TIMED_OUT: Final = "invocation.timed_out"
INVOCATION_FAILED: Final = "invocation.failed"
INVOCATION_REFUSED: Final = "invocation.refused"
RECORDS_DISCARDED: Final = "records.discarded"  # attempts exhausted or too old
RECORDS_EXPIRED: Final = "records.expired"  # they failed until the stream's retention was over
DESTINATION_UNCHECKED: Final = "destination.unchecked"  # it may be used, but not looked at
DESTINATION_FAILED: Final = "destination.failed"  # the end of an asynchronous event did not reach it
REPORT_FAILED: Final = "report.failed"  # a discarded batch's report reached no destination
RECORDS_TRIMMED: Final = "records.trimmed"  # the source deleted them before they were read
LEASE_ACQUIRED: Final = "lease.acquired"
LEASE_LOST: Final = "lease.lost"  # to another worker, or not renewed in time
LEASE_GIVEN_UP: Final = "lease.given_up"
LEASES_UNREACHABLE: Final = "leases.unreachable"  # their table or file
SHARDS_UNLISTED: Final = "shards.unlisted"  # the stream did not say which shards it has
SHARD_FAILED: Final = "shard.failed"  # its reading ended with an exception; it begins anew
SHARD_FINISHED: Final = "shard.finished"  # closed, and read to its end
STREAM_DISABLED: Final = "stream.disabled"
STREAM_REPLACED: Final = "stream.replaced"  # the table has a new one
FILTER_UNUSUAL: Final = "filter.unusual"
REQUEST_REFUSED: Final = "request.refused"  # an HTTP request; counted by why
REQUEST_FAILED: Final = "request.failed"  # by a defect of ours
ANSWER_MALFORMED: Final = "answer.malformed"  # a function's to an HTTP request: the client got an error
EVENT_NOT_ACCEPTED: Final = "event.unaccepted"  # it could not be made durable; its sender was told
CLAIM_UNRELEASED: Final = "claim.unreleased"  # of a run that failed: its key is kept until the claim expires
QUEUE_AWAITED: Final = "queue.awaited"  # one of that name was deleted a moment ago
QUEUE_LEFT: Final = "queue.left"  # a queue of eventmap's own that still holds messages
PUSH_REFUSED: Final = "push.refused"  # forged, stale, not understood
PUSH_FAILED: Final = "push.failed"  # not accepted this time: the sender is told to try again
SUBSCRIPTION_CONFIRMED: Final = "subscription.confirmed"
SUBSCRIPTION_ENDED: Final = "subscription.ended"  # somebody unsubscribed us
EVENT_ENDED: Final = "event.ended"  # one per asynchronous event: how, after how many runs, who could not be told
EVENTS_UNREACHABLE: Final = "events.unreachable"  # the store of asynchronous events did not do what it was asked
POINTER_IGNORED: Final = "pointer.ignored"  # to a bucket that is not on the mapping's list
POINTER_UNRESOLVED: Final = "pointer.unresolved"  # its object could not be had this time
SUBSCRIPTION_UNCONFIRMED: Final = "subscription.unconfirmed"  # SNS did not reach us: a queue of ours is used
SOURCE_LEFT: Final = "source.left"  # a topic or bucket could not be asked to stop delivering here
SOURCE_CONNECTED: Final = "source.connected"  # a topic or bucket delivers here from now on
EVENTS_ORPHANED: Final = "events.orphaned"  # owed to functions that are not declared here
EVENTS_DRAINED: Final = "events.drained"
DELIVERY_RETRIED: Final = "delivery.retried"  # an event of a bus will be sent to a target again
DELIVERY_GIVEN_UP: Final = "delivery.given_up"  # its dead-letter queue has it
DELIVERY_DROPPED: Final = "delivery.dropped"  # no dead-letter queue has it
BUSES_UNREACHABLE: Final = "buses.unreachable"  # the store of event buses did not do what it was asked
BUSES_DRAINED: Final = "buses.drained"
REPLAY_ENDED: Final = "replay.ended"
SCHEDULE_BEGAN: Final = "schedule.began"  # a run of it was accepted
SCHEDULE_MISFIRED: Final = "schedule.misfired"  # runs were missed while nothing ran here
SCHEDULE_FAILED: Final = "schedule.failed"  # a run could not be begun or recorded; it is tried again
SCHEDULES_UNREACHABLE: Final = "schedules.unreachable"  # it is not known how far they are done


Logger = structlog.stdlib.BoundLogger


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
