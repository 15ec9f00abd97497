"""The members of a mapping's configuration in AWS' spelling, and the settings they stand for (API-13, 14, 20..53)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import check_range
from eventmap.mapping import EventSourceMapping, read_patterns
from eventmap.rules.mapping_api.source import Source
from eventmap.stream_mapping import StreamMapping

POSITION: Final = ("StartingPosition", "StartingPositionTimestamp")
_ANY: Final = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "maximum_batching_window_in_seconds",
    "FilterCriteria": "filter_criteria",
    "FunctionResponseTypes": "function_response_types",
}
_QUEUES: Final = {"ScalingConfig": "maximum_concurrency"}
_STREAMS: Final = {
    "StartingPosition": "starting_position",
    "StartingPositionTimestamp": "starting_position_timestamp",
    "ParallelizationFactor": "parallelization_factor",
    "MaximumRecordAgeInSeconds": "maximum_record_age_in_seconds",
    "MaximumRetryAttempts": "maximum_retry_attempts",
    "BisectBatchOnFunctionError": "bisect_batch_on_function_error",
    "TumblingWindowInSeconds": "tumbling_window_in_seconds",
    "DestinationConfig": "destination_config",
}
_WITHOUT_EFFECT: Final = ("MetricsConfig",)  # what it asks to be counted is counted always
_FOREIGN: Final = {
    "Topics": "Kafka only",
    "Queues": "MQ only",
    "SourceAccessConfigurations": "Kafka, MQ and DocumentDB only",
    "SelfManagedEventSource": "Kafka only",
    "AmazonManagedKafkaEventSourceConfig": "Kafka only",
    "SelfManagedKafkaEventSourceConfig": "Kafka only",
    "DocumentDBEventSourceConfig": "DocumentDB only",
    "LoggingConfig": "Kafka only",
}

PolledMapping = EventSourceMapping | StreamMapping


def read_members(given: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """The configuration in a request, checked for shape; a member whose value removes it is None (API-13).

    Absent and null are the same: not said. Raises: InvalidParameterValue for a member that is not for such a source,
    that is not honoured here, or that the API does not have.
    """
    settings = settings_of(source)
    read: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or (name in _FOREIGN and not value):
            continue
        if name in settings or name in _WITHOUT_EFFECT or name in _REFUSED:
            read[name] = _READERS.get(name, _as_it_is)(value)
        elif name in _FOREIGN or name in _STREAMS or name in _QUEUES:
            raise InvalidParameterValue(_unsupported(name))
        else:
            raise InvalidParameterValue(f"{name} is no parameter of an event source mapping that eventmap knows")
    return read


def settings_of(source: Source) -> Mapping[str, str]:
    """The members that are honoured for a source, and our names of them; ScalingConfig has a member of its own."""
    return _ANY | (_QUEUES if source == "sqs" else _STREAMS)


def mapping_of_members(source: Source, arn: str, function_name: str, members: Mapping[str, Any]) -> PolledMapping:
    """The mapping that members describe. Raises: InvalidParameterValue, for values out of range or at odds."""
    names = settings_of(source)
    settings: dict[str, Any] = {names[name]: value for name, value in members.items() if name in names}
    if source == "sqs":
        return EventSourceMapping(event_source_arn=arn, function_name=function_name, **settings)
    return StreamMapping(event_source=source, event_source_arn=arn, function_name=function_name, **settings)


def _unsupported(name: str) -> str:
    """In AWS' words for DestinationConfig (API-08)."""
    message = f"Unsupported {name} parameter for given event source mapping type."
    if reason := _FOREIGN.get(name):
        return f"{message} ({reason})"
    return message


def _as_it_is(value: object) -> object:
    return value


def _read_criteria(value: Any) -> dict[str, Any] | None:
    patterns = read_patterns(value)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise InvalidParameterValue(f"filterCriteria.filters.pattern must be JSON text, not {pattern!r}")
    return {"Filters": [{"Pattern": pattern} for pattern in patterns]} if patterns else None


def _read_scaling(value: Any) -> int | None:
    """Kept as the number itself."""
    if not isinstance(value, Mapping) or not value.keys() <= {"MaximumConcurrency"}:
        raise InvalidParameterValue(f'scalingConfig must be {{"MaximumConcurrency": n}}, not {value!r}')
    limit = value.get("MaximumConcurrency")
    if limit is not None:
        check_range("scalingConfig.maximumConcurrency", limit, 2, 1000)
    return limit


def _read_destination(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, Mapping) or not value.keys() <= {"OnSuccess", "OnFailure"}:
        raise InvalidParameterValue(f'destinationConfig must be {{"OnFailure": {{"Destination": ARN}}}}, not {value!r}')
    if value.get("OnSuccess"):
        raise InvalidParameterValue(_unsupported("DestinationConfig"))
    on_failure = value.get("OnFailure")
    if not on_failure or on_failure in ({"Destination": ""}, {"Destination": None}):
        return None
    return {"OnFailure": on_failure}


def _read_metrics(value: Any) -> dict[str, Any] | None:
    metrics = value.get("Metrics") if isinstance(value, Mapping) and value.keys() <= {"Metrics"} else value
    if metrics is None or metrics in ([], {}):
        return None
    if metrics != ["EventCount"]:
        raise InvalidParameterValue(f'metricsConfig.metrics may be empty or ["EventCount"], not {metrics!r}')
    return {"Metrics": metrics}


def _refused(reason: str) -> Callable[[Any], None]:
    def read(value: Any) -> None:
        if value not in ({}, ""):
            raise InvalidParameterValue(reason)

    return read


_REFUSED: Final = {
    "ProvisionedPollerConfig": _refused(
        "ProvisionedPollerConfig is not honoured, so it is refused: receives adapt to the backlog by themselves; "
        "cap them with ScalingConfig.MaximumConcurrency"
    ),
    "KMSKeyArn": _refused(
        "KMSKeyArn is not honoured, so it is refused: filter criteria are kept as they are in a file of this machine"
    ),
}
_READERS: Final[Mapping[str, Callable[[Any], object]]] = {
    "FilterCriteria": _read_criteria,
    "ScalingConfig": _read_scaling,
    "DestinationConfig": _read_destination,
    "MetricsConfig": _read_metrics,
    **_REFUSED,
}
