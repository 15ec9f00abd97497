"""Statistics: what one mapping has done so far, as plain counters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Counters of one mapping since it started; they only grow, except `in_flight`, `running`, `last_failed`."""

    receives: int = 0  #: calls that were answered
    empty_receives: int = 0
    received: int = 0  #: messages, every redelivery counted
    filtered: int = 0  #: messages no filter let through; deleted without an invocation (SQS-59)
    refused: int = 0  #: messages whose MD5 did not match; left in the queue
    running: int = 0  #: invocations under way now
    in_flight: int = 0  #: messages received and not yet settled, now
    invocations: int = 0
    failed_invocations: int = 0
    last_failed: bool = False  #: whether the last of them that ended had failed; one refused before it ran is none
    done: int = 0  #: messages whose deletion the queue has confirmed
    retried: int = 0  #: message attempts that failed and will come back
    dead_lettered: int = 0  #: messages the queue moves to its dead-letter queue instead of returning them again
    released: int = 0  #: messages given back without having run
    possible_duplicates: int = 0  #: messages handled whose deletion is not certain
    redelivered_while_held: int = 0  #: second copies of a message already here; absorbed, not run
    throttles: int = 0  #: invocations refused before the code ran (SQS-56)
    poll_errors: int = 0
    discarded: int = 0  #: stream records given up: attempts exhausted or too old (STR-41, 42)
    expired: int = 0  #: stream records that failed until their stream's retention was over (STR-44)
    reports_sent: int = 0  #: to the on-failure destination (STR-101)
    reports_failed: int = 0  #: that could not be delivered; their records stay discarded (STR-101)
    abandoned: int = 0  #: stream records whose invocation was cut off: by the end of a drain, or with a lost lease
    shards: int = 0  #: shards read by this mapping here, now
    shards_ended: int = 0  #: shards read to their end here
    leases_lost: int = 0  #: shards another worker took while they were read here; what ran may run again there
