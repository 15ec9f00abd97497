"""EventSourceMapping: what ties one source to one function. AWS' fields, ranges, defaults and refusals (SQS-01..17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import check_range

REPORT_BATCH_ITEM_FAILURES: Final = "ReportBatchItemFailures"

NOT_FOR_SQS: Final = {
    "starting_position": "streams only",
    "starting_position_timestamp": "streams only",
    "parallelization_factor": "streams only",
    "maximum_retry_attempts": "streams only; a queue's own redrive policy limits its retries",
    "maximum_record_age_in_seconds": "streams only; a queue's own retention period limits its messages' age",
    "bisect_batch_on_function_error": "streams only",
    "tumbling_window_in_seconds": "streams only",
    "destination_config": "streams only; a queue dead-letters by its own redrive policy",
    "topics": "Kafka only",
    "queues": "MQ only",
    "self_managed_event_source": "Kafka only",
    "logging_config": "Kafka only",
}
"""Refused on a queue, with the reason (SQS-11)."""

NOT_HONOURED: Final = {
    "provisioned_poller_config": "receives adapt to the backlog by themselves; cap them with maximum_concurrency",
    "metrics_config": "eventmap counts events always; read `running.statistics()`",
    "kms_key_arn": "filter criteria are not stored here, so there is nothing to encrypt",
    "scaling_config": 'write its member as maximum_concurrency (AWS: {"MaximumConcurrency": n})',
}
"""AWS' fields that a queue mapping may have there and not here: refused, never ignored (SQS-04, 05, 09, 10, 12)."""

NOT_POLLED: Final = {
    "kafka": "Amazon MSK",
    "mq": "Amazon MQ",
    "rds": "Amazon DocumentDB",
    "docdb-elastic": "Amazon DocumentDB",
}
"""Services that Lambda polls and eventmap does not, as their ARNs name them (SRC-140..147)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """A queue mapped to a function. AWS' names, units and defaults; every field is honoured.

    Raises: InvalidParameterValue, in AWS' words where they are known. Rules: SQS-01..14.
    """

    event_source_arn: str
    """The queue: its ARN, or, an extension of ours, its name or URL."""

    function_name: str

    batch_size: int = 10
    """Records per invocation at most: 1..10,000, FIFO 1..10; above 10 needs a batching window (SQS-01, 14)."""

    maximum_batching_window_in_seconds: int = 0
    """How long a batch may be gathered, 0..300; 0 = what one receive returned goes at once. 0 on FIFO (SQS-02, 51)."""

    filter_criteria: Mapping[str, Any] | None = None
    """`{"Filters": [{"Pattern": …}]}`; a pattern: JSON text or a dict; None, {}, no filters: all pass (FIL-01, 04)."""

    function_response_types: Sequence[str] = ()
    """() or ("ReportBatchItemFailures",) (SQS-06)."""

    maximum_concurrency: int | None = None
    """Invocations of this mapping in flight at most, 1..1,000 (AWS: from 2); None = the function's limit (SQS-03)."""

    enabled: bool = True
    """False = declared, not polled (SQS-08)."""

    heartbeat: bool = True
    """Our own setting: extend a message's visibility while it waits or runs, to at most 12 h. False = as Lambda."""

    retry_backoff_s: Sequence[int] = ()
    """Our own setting: seconds until a failed message is visible again, by receive count, the last one repeating.

    () = as Lambda does: whatever is left of its visibility timeout (SQS-60).
    """

    lenient_empty_entry: bool = False
    """Our own setting: an item failure entry without any member counts as no failure, as once observed (SQS-92a)."""

    pointer_buckets: Sequence[str] = ()
    """Our own setting: buckets whose objects take the place of the pointers that AWS' extended clients send (SNS-135).

    () = pointers are passed on as they are, as Lambda does; so are those to other buckets.
    """

    pointer_limit_bytes: int = 6_000_000
    """Our own setting: the largest such object, 1..6,291,456; the message of a larger one comes back (SNS-142)."""

    filter_quota: int = 5
    """Filters allowed, 5..10: AWS' default quota, and what it can be raised to (FIL-03)."""

    def __post_init__(self) -> None:
        if not isinstance(self.event_source_arn, str) or not self.event_source_arn:
            raise InvalidParameterValue(f"eventSourceArn must name a queue, not {self.event_source_arn!r}")
        check_polled(self.event_source_arn)
        fifo = self.event_source_arn.endswith(".fifo")
        check_range("batchSize", self.batch_size, 1, 10 if fifo else 10_000)
        window = self.maximum_batching_window_in_seconds
        check_range("maximumBatchingWindowInSeconds", window, 0, 300)
        if fifo and window:
            raise InvalidParameterValue("Batching window is not supported for FIFO queues; leave it at 0 (SQS-51)")
        if self.batch_size > 10 and window == 0:
            raise InvalidParameterValue(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )
        if self.maximum_concurrency is not None:
            check_range("scalingConfig.maximumConcurrency", self.maximum_concurrency, 1, 1000)
        check_range("filterQuota", self.filter_quota, 5, 10)
        check_pointers(self.pointer_buckets, self.pointer_limit_bytes)
        check_response_types(self.function_response_types)
        self._check_backoff()
        check_flags(self, "enabled", "heartbeat", "lenient_empty_entry")
        if len(self.patterns) > self.filter_quota:
            raise InvalidParameterValue(
                f"{len(self.patterns)} filters given, the quota is {self.filter_quota}; filter_quota raises it up to 10"
            )

    def _check_backoff(self) -> None:
        if not isinstance(self.retry_backoff_s, list | tuple):
            raise InvalidParameterValue(f"retry_backoff_s must be a list of seconds, not {self.retry_backoff_s!r}")
        for seconds in self.retry_backoff_s:
            check_range("retry_backoff_s", seconds, 0, 43_200)

    @property
    def patterns(self) -> tuple[str | Mapping[str, Any], ...]:
        """The filter patterns as given; () = no filtering (FIL-04)."""
        return read_patterns(self.filter_criteria)

    @property
    def reports_item_failures(self) -> bool:
        return bool(self.function_response_types)


def check_polled(event_source_arn: str) -> None:
    """Raises: InvalidParameterValue for the ARN of a Kafka cluster, a broker or a document database (SRC-140..147)."""
    match event_source_arn.split(":", 3):
        case ["arn", _, service, _] if service in NOT_POLLED:
            raise not_polled(NOT_POLLED[service])


def not_polled(source: str) -> InvalidParameterValue:
    """Why a source that Lambda polls is none here."""
    return InvalidParameterValue(
        f"{source} is not polled here: eventmap maps SQS queues, Kinesis streams and DynamoDB streams. "
        "For the others' events there are samples and builders, see `eventmap event kinds`"
    )


def check_response_types(types: object) -> None:
    """Raises: InvalidParameterValue for anything but [] and ["ReportBatchItemFailures"] (SQS-06, STR-10)."""
    if not isinstance(types, list | tuple) or list(types) not in ([], [REPORT_BATCH_ITEM_FAILURES]):
        raise InvalidParameterValue(
            f"functionResponseTypes may be empty or [{REPORT_BATCH_ITEM_FAILURES!r}], not {types!r}"
        )


def check_pointers(buckets: object, limit_bytes: object) -> None:
    """Raises: InvalidParameterValue for what is no list of buckets' names, or a limit out of range."""
    if not isinstance(buckets, list | tuple) or not all(isinstance(each, str) and each for each in buckets):
        raise InvalidParameterValue(f"pointer_buckets must be a list of buckets' names, not {buckets!r}")
    check_range("pointer_limit_bytes", limit_bytes, 1, 6_291_456)


def check_flags(mapping: object, *names: str) -> None:
    """Raises: InvalidParameterValue for a setting that is neither true nor false."""
    for name in names:
        if not isinstance(getattr(mapping, name), bool):
            raise InvalidParameterValue(f"{name} must be true or false, not {getattr(mapping, name)!r}")


def read_patterns(criteria: Mapping[str, Any] | None) -> tuple[str | Mapping[str, Any], ...]:
    """The patterns of a `FilterCriteria`, as given (FIL-01, 04). Raises: InvalidParameterValue for another shape."""
    if not criteria:
        return ()
    if not isinstance(criteria, Mapping) or set(criteria) != {"Filters"} or not isinstance(criteria["Filters"], list):
        raise InvalidParameterValue('filterCriteria must be {"Filters": [{"Pattern": …}, …]}')
    if not all(isinstance(entry, Mapping) and set(entry) == {"Pattern"} for entry in criteria["Filters"]):
        raise InvalidParameterValue('every filter must be {"Pattern": …} and nothing else')
    return tuple(entry["Pattern"] for entry in criteria["Filters"])


def mapping_of(settings: Mapping[str, Any]) -> EventSourceMapping:
    """Build a mapping from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown, not for queues, or not honoured, saying which and why.
    """
    known = {field.name for field in fields(EventSourceMapping)}
    for name in settings:
        if reason := NOT_FOR_SQS.get(name):
            raise InvalidParameterValue(f"{name} is not supported for the event source aws:sqs: {reason} (SQS-11)")
        if reason := NOT_HONOURED.get(name):
            raise InvalidParameterValue(f"{name} is not honoured, so it is refused: {reason}")
        if name not in known:
            raise InvalidParameterValue(
                f"{name} is not a setting of a queue mapping; known are {', '.join(sorted(known))}"
            )
    return EventSourceMapping(**settings)
