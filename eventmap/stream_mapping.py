"""StreamMapping: an event source mapping of a stream. AWS' fields, ranges, defaults and refusals (STR-01..18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from eventmap.clock import wall_time_s
from eventmap.errors import ConstraintViolated, InvalidParameterValue
from eventmap.function import check_range
from eventmap.mapping import NOT_HONOURED, check_flags, check_polled, check_response_types, read_patterns
from eventmap.shard import AT_TIMESTAMP, LATEST, TRIM_HORIZON

EventSource = Literal["kinesis", "dynamodb"]
StartingPosition = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

NOT_FOR_STREAMS: Final = {
    "maximum_concurrency": "queues only; a stream runs shards x parallelization_factor batches at once",
    "scaling_config": "queues only",
    "heartbeat": "queues only",
    "retry_backoff_s": "queues only; a stream blocks its shard for 1 s doubling to 60 s (STR-210)",
    "topics": "Kafka only",
    "queues": "MQ only",
    "self_managed_event_source": "Kafka only",
}
"""Refused on a stream, with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMapping:
    """A Kinesis stream or a DynamoDB table's stream mapped to a function. AWS' names, units and defaults.

    Raises: InvalidParameterValue, in AWS' words where they are known. Rules: STR-01..18, STR-88, STR-102.
    """

    event_source: EventSource
    """Which kind of stream; `event_source_arn` may be a bare name."""

    event_source_arn: str
    """The stream: its ARN; or, an extension of ours, the name of the Kinesis stream, or the table's name or ARN."""

    function_name: str

    starting_position: StartingPosition | None = None
    """Required, as in AWS: where a shard without a checkpoint is begun (STR-03, STR-20)."""

    starting_position_timestamp: float | None = None
    """Epoch seconds, not in the future, and given with AT_TIMESTAMP only (STR-04). Kinesis only (STR-16)."""

    batch_size: int = 100
    """Records per invocation at most, 1..10,000 (STR-01)."""

    maximum_batching_window_in_seconds: int = 0
    """How long a batch may be gathered, 0..300; 0 = what one read returned goes at once (STR-02, STR-25)."""

    parallelization_factor: int = 1
    """Batches of one shard in flight at once, 1..10; order is kept for each key (STR-05, STR-30)."""

    maximum_retry_attempts: int = -1
    """Invocations after the first one, 0..10,000; -1 = until the records expire (STR-06, STR-40)."""

    maximum_record_age_in_seconds: int = -1
    """Older records are discarded, 60..604,800; -1 = never (STR-07, STR-42)."""

    bisect_batch_on_function_error: bool = False
    """Split a failed batch in two and retry each part on its own (STR-08, STR-50)."""

    tumbling_window_in_seconds: int = 0
    """Length of a window with a state of its own, 0..900; 0 = off (STR-09, STR-80)."""

    function_response_types: Sequence[str] = ()
    """() or ("ReportBatchItemFailures",) (STR-10)."""

    destination_config: Mapping[str, Any] | None = None
    """`{"OnFailure": {"Destination": ARN}}`: where discarded batches are reported; SQS, SNS or S3 (STR-11)."""

    filter_criteria: Mapping[str, Any] | None = None
    """`{"Filters": [{"Pattern": …}]}`, as for queues (STR-12)."""

    enabled: bool = True
    """False = declared, not polled (STR-13)."""

    filter_quota: int = 5
    """Filters allowed, 5..10 (FIL-03)."""

    def __post_init__(self) -> None:
        if self.event_source not in get_args(EventSource):
            raise InvalidParameterValue(f"eventSource must be kinesis or dynamodb, not {self.event_source!r}")
        if not isinstance(self.event_source_arn, str) or not self.event_source_arn:
            raise InvalidParameterValue(f"eventSourceArn must name a stream, not {self.event_source_arn!r}")
        check_polled(self.event_source_arn)
        check_range("batchSize", self.batch_size, 1, 10_000)
        check_range("maximumBatchingWindowInSeconds", self.maximum_batching_window_in_seconds, 0, 300)
        check_range("parallelizationFactor", self.parallelization_factor, 1, 10)
        check_range("maximumRetryAttempts", self.maximum_retry_attempts, -1, 10_000)
        if self.maximum_record_age_in_seconds != -1:
            check_range("maximumRecordAgeInSeconds", self.maximum_record_age_in_seconds, 60, 604_800)
        check_range("tumblingWindowInSeconds", self.tumbling_window_in_seconds, 0, 900)
        check_range("filterQuota", self.filter_quota, 5, 10)
        check_flags(self, "bisect_batch_on_function_error", "enabled")
        check_response_types(self.function_response_types)
        self._check_position()
        if self.tumbling_window_in_seconds and (self.parallelization_factor > 1 or self.patterns):
            raise InvalidParameterValue(
                "Tumbling windows go with neither a parallelization factor above 1 nor filters (STR-88)"
            )
        if len(self.patterns) > self.filter_quota:
            raise InvalidParameterValue(
                f"{len(self.patterns)} filters given, the quota is {self.filter_quota}; filter_quota raises it up to 10"
            )
        _read_destination(self.destination_config)

    def _check_position(self) -> None:
        position = self.starting_position
        if position is None:
            raise InvalidParameterValue(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
                "Member must not be null."
            )
        if position not in get_args(StartingPosition):
            raise ConstraintViolated(
                f"1 validation error detected: Value '{position}' at 'startingPosition' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{LATEST}, {AT_TIMESTAMP}, {TRIM_HORIZON}]"
            )
        timestamp = self.starting_position_timestamp
        if position == AT_TIMESTAMP and self.event_source == "dynamodb":
            raise InvalidParameterValue(f"Unsupported starting position for arn type: {self.event_source_arn}")
        if (timestamp is not None) != (position == AT_TIMESTAMP):
            raise InvalidParameterValue(
                "startingPositionTimestamp belongs to starting position AT_TIMESTAMP, and to no other (STR-04)"
            )
        if timestamp is None:
            return
        if isinstance(timestamp, bool) or not isinstance(timestamp, int | float) or not 0 <= timestamp < 1e11:
            raise InvalidParameterValue(f"startingPositionTimestamp must be epoch seconds, not {timestamp!r}")
        if timestamp > wall_time_s():
            raise InvalidParameterValue(f"startingPositionTimestamp must not be in the future: {timestamp!r} (STR-04)")

    @property
    def on_failure(self) -> str | None:
        """The ARN discarded batches are reported to; None = nowhere."""
        return _read_destination(self.destination_config)

    @property
    def patterns(self) -> tuple[str | Mapping[str, Any], ...]:
        """The filter patterns as given; () = no filtering (FIL-04)."""
        return read_patterns(self.filter_criteria)

    @property
    def reports_item_failures(self) -> bool:
        return bool(self.function_response_types)


def stream_mapping_of(settings: Mapping[str, Any]) -> StreamMapping:
    """Build a mapping from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown, not for streams, or not honoured, saying which and why.
    """
    known = {field.name for field in fields(StreamMapping)}
    for name in settings:
        if reason := NOT_FOR_STREAMS.get(name):
            raise InvalidParameterValue(f"{name} is not supported for streams: {reason}")
        if reason := NOT_HONOURED.get(name):
            raise InvalidParameterValue(f"{name} is not honoured, so it is refused: {reason}")
        if name not in known:
            raise InvalidParameterValue(
                f"{name} is not a setting of a stream mapping; known are {', '.join(sorted(known))}"
            )
    return StreamMapping(**settings)


def _read_destination(config: Mapping[str, Any] | None) -> str | None:
    """The on-failure ARN of a `DestinationConfig`; None = none (STR-11, STR-102)."""
    if not config or config == {"OnFailure": {}}:
        return None
    if isinstance(config, Mapping) and "OnSuccess" in config:
        raise InvalidParameterValue("destinationConfig.OnSuccess is not supported for event source mappings (STR-11)")
    on_failure = config.get("OnFailure") if isinstance(config, Mapping) and set(config) == {"OnFailure"} else None
    if not isinstance(on_failure, Mapping) or set(on_failure) != {"Destination"}:
        raise InvalidParameterValue('destinationConfig must be {"OnFailure": {"Destination": ARN}} (STR-11)')
    arn = on_failure["Destination"]
    parts = arn.split(":", 5) if isinstance(arn, str) else []
    if len(parts) != 6 or parts[0] != "arn" or parts[2] not in ("sqs", "sns", "s3") or len(arn) > 350:
        raise InvalidParameterValue(
            f"destinationConfig.OnFailure.Destination must be the ARN of an SQS queue, an SNS topic or an S3 bucket, "
            f"not {arn!r} (STR-11)"
        )
    if parts[2] != "s3" and parts[5].endswith(".fifo"):
        raise InvalidParameterValue(f"a FIFO queue or topic cannot be an on-failure destination: {arn} (STR-102)")
    return str(arn)
