"""What requests of the API of mappings ask for, what is refused, and how it is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import ConstraintViolated, InvalidParameterValue
from eventmap.rules.mapping_api.listing import PAGE_LIMIT, page, read_list
from eventmap.rules.mapping_api.members import mapping_of_members
from eventmap.rules.mapping_api.recorded import RecordedMapping, recorded_mapping
from eventmap.rules.mapping_api.request import CreateRequest, read_create, read_update
from eventmap.rules.mapping_api.source import Source, event_source_of
from eventmap.stream_mapping import StreamMapping
from tests.server.service_model import members_of

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:jobs"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
WORDS = ("Filters", "Pattern", "OnFailure", "OnSuccess", "Destination", "MaximumConcurrency", "Metrics")
MEMBERS = sorted({member.split(".")[0].split("[")[0] for member in members_of("lambda", "CreateEventSourceMapping")})
ARNS: dict[Source, str] = {"sqs": QUEUE, "kinesis": STREAM, "dynamodb": TABLE}
PATTERN = '{"body": ["x"]}'
TARGET = "arn:aws:sqs:eu-west-1:123456789012:failed"


def create(source: Source = "sqs", **members: Any) -> CreateRequest:
    return read_create({"EventSourceArn": ARNS[source], "FunctionName": "pay", **members})


def recorded(source: Source = "sqs", **members: Any) -> RecordedMapping:
    """A mapping that is enabled."""
    if source != "sqs":
        members.setdefault("StartingPosition", "LATEST")
    request = create(source, **members)
    return RecordedMapping(
        uuid="u",
        source=source,
        source_arn=request.source_arn,
        function_arn=FUNCTION,
        function_name="pay",
        enabled=True,
        members=request.members,
        tags={},
        state="Enabled",
        reason="USER_INITIATED",
        last_modified_s=1.0,
    )


def updated(before: RecordedMapping, **body: Any) -> RecordedMapping:
    return before.updated(read_update(body, before.source), None, 2.0).settled()


def refusal(call: Any, *arguments: Any, **members: Any) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        call(*arguments, **members)
    return str(refused.value)


def shown(source: Source = "sqs", **members: Any) -> dict[str, Any]:
    return recorded(source, **members).shown("OK")


HONOURED: list[tuple[Source, str, Any, str, Any]] = [
    ("sqs", "BatchSize", 7, "batch_size", 7),
    ("sqs", "MaximumBatchingWindowInSeconds", 3, "maximum_batching_window_in_seconds", 3),
    ("sqs", "FunctionResponseTypes", ["ReportBatchItemFailures"], "reports_item_failures", True),
    ("sqs", "ScalingConfig", {"MaximumConcurrency": 2}, "maximum_concurrency", 2),
    ("sqs", "FilterCriteria", {"Filters": [{"Pattern": PATTERN}]}, "patterns", (PATTERN,)),
    ("kinesis", "BatchSize", 7, "batch_size", 7),
    ("kinesis", "StartingPosition", "TRIM_HORIZON", "starting_position", "TRIM_HORIZON"),
    ("kinesis", "ParallelizationFactor", 4, "parallelization_factor", 4),
    ("kinesis", "MaximumRecordAgeInSeconds", 60, "maximum_record_age_in_seconds", 60),
    ("kinesis", "MaximumRetryAttempts", 5, "maximum_retry_attempts", 5),
    ("kinesis", "BisectBatchOnFunctionError", True, "bisect_batch_on_function_error", True),
    ("dynamodb", "TumblingWindowInSeconds", 30, "tumbling_window_in_seconds", 30),
    ("dynamodb", "DestinationConfig", {"OnFailure": {"Destination": TARGET}}, "on_failure", TARGET),
]


@pytest.mark.parametrize(("source", "member", "value", "setting", "expected"), HONOURED)
def test_api_24_to_38_each_member_reaches_its_setting_and_is_shown(
    source: Source, member: str, value: Any, setting: str, expected: Any
) -> None:
    """API-24..38: given on creation; the mapping has it, and the API shows it as it was given."""
    made = recorded(source, **{member: value})

    assert getattr(made.mapping, setting) == expected
    assert made.shown("")[member] == value
    assert made.mapping.event_source_arn == ARNS[source]
    assert made.mapping.function_name == "pay"


def test_api_27_a_beginning_in_time_is_epoch_seconds() -> None:
    """API-26, API-27: with AT_TIMESTAMP only, in the past only, Kinesis only; shown as it was given."""
    at = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000.5}
    made = recorded("kinesis", **at)

    assert isinstance(made.mapping, StreamMapping)
    assert made.mapping.starting_position_timestamp == 1_700_000_000.5
    assert made.shown("")["StartingPositionTimestamp"] == 1_700_000_000.5
    assert "epoch seconds" in refusal(
        shown, "kinesis", StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp="2026-01-01"
    )
    assert refusal(shown, "dynamodb", **at) == f"Unsupported starting position for arn type: {TABLE}"


def test_api_63_members_of_defaults() -> None:
    """API-63, SQS-17, STR-15: what is shown when nothing was asked for."""
    assert set(shown()) == {
        *("UUID", "BatchSize", "MaximumBatchingWindowInSeconds", "EventSourceArn", "EventSourceMappingArn"),
        *("FunctionArn", "FunctionResponseTypes", "LastModified", "State", "StateTransitionReason"),
    }
    stream = shown("kinesis")
    assert (stream["LastProcessingResult"], stream["DestinationConfig"]) == ("OK", {"OnFailure": {}})
    assert stream["EventSourceMappingArn"] == "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:u"
    assert [stream[name] for name in ("BatchSize", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds")] == [
        100,
        -1,
        -1,
    ]


FOREIGN: list[tuple[str, Any]] = [
    ("Topics", ["t"]),
    ("Queues", ["q"]),
    ("SourceAccessConfigurations", [{"Type": "VPC_SUBNET", "URI": "subnet-1"}]),
    ("SelfManagedEventSource", {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:1"]}}),
    ("AmazonManagedKafkaEventSourceConfig", {"ConsumerGroupId": "g"}),
    ("SelfManagedKafkaEventSourceConfig", {"ConsumerGroupId": "g"}),
    ("DocumentDBEventSourceConfig", {"DatabaseName": "d"}),
    ("LoggingConfig", {"SystemLogLevel": "INFO"}),
]


@pytest.mark.parametrize("source", ["sqs", "kinesis"])
@pytest.mark.parametrize(("member", "value"), FOREIGN)
def test_api_08_members_of_other_sources_are_refused(source: Source, member: str, value: Any) -> None:
    """API-08, SQS-11: by name; but not when they are empty, as Terraform's lists are."""
    said = refusal(create, source, **{member: value})

    assert said.startswith(f"Unsupported {member} parameter for given event source mapping type. (")
    assert create(source, **{member: type(value)()}).members == {}


@pytest.mark.parametrize(
    ("source", "members"),
    [
        ("sqs", {"StartingPosition": "LATEST"}),
        ("sqs", {"StartingPositionTimestamp": 1}),
        ("sqs", {"ParallelizationFactor": 1}),
        ("sqs", {"MaximumRetryAttempts": 1}),
        ("sqs", {"MaximumRecordAgeInSeconds": 60}),
        ("sqs", {"BisectBatchOnFunctionError": False}),
        ("sqs", {"TumblingWindowInSeconds": 0}),
        ("sqs", {"DestinationConfig": {"OnFailure": {"Destination": TARGET}}}),
        ("kinesis", {"ScalingConfig": {"MaximumConcurrency": 2}}),
        ("kinesis", {"DestinationConfig": {"OnSuccess": {"Destination": TARGET}}}),
    ],
)
def test_api_08_sqs_11_what_a_source_does_not_have_is_refused_in_aws_words(
    source: Source, members: dict[str, Any]
) -> None:
    """API-08, SQS-11: `Unsupported X parameter for given event source mapping type.`"""
    [name] = members

    assert refusal(create, source, **members) == (f"Unsupported {name} parameter for given event source mapping type.")


@pytest.mark.parametrize("member", ["ProvisionedPollerConfig", "KMSKeyArn"])
def test_api_37_39_40_what_is_not_honoured_is_refused(member: str) -> None:
    """API-37, API-39, API-40: with the reason; its absence, spelled out, is fine."""
    values: dict[str, list[Any]] = {
        "ProvisionedPollerConfig": [{"MinimumPollers": 2}, {}],
        "KMSKeyArn": ["arn:aws:kms", ""],
    }
    given, empty = values[member]

    assert refusal(create, **{member: given}).startswith(f"{member} is not honoured, so it is refused: ")
    assert create(**{member: empty}).members == {}


def test_api_42_counting_is_taken_and_shown() -> None:
    """API-42: events are counted anyway; what only Kafka counts is refused."""
    assert shown(MetricsConfig={"Metrics": ["EventCount"]})["MetricsConfig"] == {"Metrics": ["EventCount"]}
    assert "MetricsConfig" not in shown(MetricsConfig={"Metrics": []})
    assert "ErrorCount" in refusal(create, MetricsConfig={"Metrics": ["ErrorCount"]})


def test_a_member_nobody_knows_is_refused() -> None:
    """No silent parameter; null is no parameter."""
    assert refusal(create, BatchSise=3) == "BatchSise is no parameter of an event source mapping that eventmap knows"
    assert create(BatchSise=None, BatchSize=None, Tags=None, Enabled=None).members == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Unrecognized event source."),
        ({"EventSourceArn": "jobs"}, "Unrecognized event source."),
        ({"EventSourceArn": 7}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, "Unrecognized event source."),
        ({"EventSourceArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"}, "LatestStreamArn"),
        ({"SelfManagedEventSource": {"Endpoints": {}}}, "Required 'sourceAccessConfigurations' parameter is missing."),
        ({"SelfManagedEventSource": {}, "SourceAccessConfigurations": []}, "self-managed Kafka cluster is not polled"),
        ({"EventSourceArn": "arn:aws:kafka:eu-west-1:123456789012:cluster/a/b"}, "Amazon MSK is not polled here"),
        ({"EventSourceArn": "arn:aws:mq:eu-west-1:123456789012:broker:a:b"}, "Amazon MQ is not polled here"),
        ({"EventSourceArn": "arn:aws:rds:eu-west-1:123456789012:cluster:a"}, "Amazon DocumentDB is not polled here"),
    ],
)
def test_api_08_22_sources_that_are_not_polled(body: dict[str, Any], said: str) -> None:
    """API-08, API-22: AWS' words for what it does not know, ours for what it does."""
    assert said in refusal(read_create, {"FunctionName": "pay", **body})


def test_api_22_other_partitions_are_fine() -> None:
    """API-22: and regions of emulators."""
    assert event_source_of({"EventSourceArn": "arn:aws-cn:sqs:cn-north-1:123456789012:q"})[0] == "sqs"
    assert event_source_of({"EventSourceArn": "arn:aws:sqs:elasticmq:000000000000:q"})[0] == "sqs"


@pytest.mark.parametrize(
    ("source", "members"),
    [
        ("sqs", {"BatchSize": 0}),
        ("sqs", {"BatchSize": 10_001}),
        ("sqs", {"MaximumBatchingWindowInSeconds": 301}),
        ("kinesis", {"ParallelizationFactor": 11}),
        ("kinesis", {"TumblingWindowInSeconds": 901}),
        ("kinesis", {"MaximumRetryAttempts": -2}),
        ("kinesis", {"StartingPosition": "SOMEWHERE"}),
    ],
)
def test_api_24_to_32_out_of_range_is_a_constraint_violation(source: Source, members: dict[str, Any]) -> None:
    """API-24..32, STR-16: AWS' ValidationException."""
    members = members if source == "sqs" else {"StartingPosition": "LATEST", **members}
    with pytest.raises(ConstraintViolated, match="1 validation error detected: Value "):
        shown(source, **members)


def test_api_38_a_queue_runs_two_at_once_at_least() -> None:
    """API-38: 1 is our own extension, which the API does not take."""
    with pytest.raises(ConstraintViolated, match=r"scalingConfig\.maximumConcurrency"):
        create(ScalingConfig={"MaximumConcurrency": 1})


@pytest.mark.parametrize(
    "members",
    [
        {"Enabled": "yes"},
        {"FunctionName": 7},
        {"FunctionName": None},
        {"Tags": {"a": 1}},
        {"Tags": ["a"]},
        {"BatchSize": "7"},
        {"BatchSize": True},
        {"BatchSize": 11},
        {"FilterCriteria": [1]},
        {"FilterCriteria": {"Filters": [{"Pattern": {"body": ["x"]}}]}},
        {"FilterCriteria": {"Filters": [{}]}},
        {"ScalingConfig": 7},
        {"ScalingConfig": {"MinimumConcurrency": 7}},
        {"FunctionResponseTypes": ["ReportNothing"]},
        {"MetricsConfig": "EventCount"},
        {"MetricsConfig": {"Metrics": "EventCount"}},
    ],
)
def test_rubbish_is_refused(members: dict[str, Any]) -> None:
    """Another type, another shape, values at odds: never an exception of Python's."""
    assert refusal(lambda **given: mapping_of_members("sqs", QUEUE, "pay", create(**given).members), **members)


@pytest.mark.parametrize("config", [7, ["a"], {"OnFailure": 7}, {"OnFailure": {"Destination": "x"}}, {"Else": {}}])
def test_rubbish_destinations_are_refused(config: Any) -> None:
    """STR-11."""
    assert "estination" in refusal(shown, "kinesis", DestinationConfig=config)


@pytest.mark.parametrize(
    "member",
    ["EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Topics", "Queues", "SelfManagedEventSource"],
)
def test_api_12_what_cannot_be_changed(member: str) -> None:
    """API-12: refused by name; null is no change."""
    assert refusal(read_update, {member: "x"}, "kinesis") == (
        f"{member} cannot be changed: delete the mapping, and create another"
    )
    assert read_update({member: None}, "kinesis").members == {}
    assert "TagResource" in refusal(read_update, {"Tags": {"a": "b"}}, "kinesis")


def test_api_13_an_update_merges() -> None:
    """API-13: what is not named keeps its value; LastModified is the update's."""
    before = recorded(BatchSize=3, FunctionResponseTypes=["ReportBatchItemFailures"])
    after = updated(before, BatchSize=4)

    assert before.shown("") | {"BatchSize": 4, "LastModified": 2.0} == after.shown("")


@pytest.mark.parametrize(
    ("source", "member", "given", "removed", "shown_as"),
    [
        ("sqs", "ScalingConfig", {"MaximumConcurrency": 5}, {}, None),
        ("sqs", "FilterCriteria", {"Filters": [{"Pattern": PATTERN}]}, {}, None),
        ("sqs", "FilterCriteria", {"Filters": [{"Pattern": PATTERN}]}, {"Filters": []}, None),
        ("sqs", "FunctionResponseTypes", ["ReportBatchItemFailures"], [], []),
        ("sqs", "MetricsConfig", {"Metrics": ["EventCount"]}, {}, None),
        ("kinesis", "TumblingWindowInSeconds", 30, 0, 0),
        (
            "kinesis",
            "DestinationConfig",
            {"OnFailure": {"Destination": TARGET}},
            {"OnFailure": {"Destination": ""}},
            "none",
        ),
        ("kinesis", "DestinationConfig", {"OnFailure": {"Destination": TARGET}}, {"OnFailure": {}}, "none"),
    ],
)
def test_api_13_how_a_member_is_removed(source: Source, member: str, given: Any, removed: Any, shown_as: Any) -> None:
    """API-13: by its empty value; removing it twice is fine."""
    before = recorded(source, **{member: given})
    after = updated(before, **{member: removed})

    assert before.shown("")[member] == given
    assert after.shown("").get(member) == ({"OnFailure": {}} if shown_as == "none" else shown_as)
    assert updated(after, **{member: removed}) == after


def test_api_14_what_is_nested_is_replaced_as_a_whole() -> None:
    """API-14: filters are not merged."""
    before = recorded(FilterCriteria={"Filters": [{"Pattern": PATTERN}, {"Pattern": '{"body": ["y"]}'}]})
    after = updated(before, FilterCriteria={"Filters": [{"Pattern": '{"body": ["z"]}'}]})

    assert after.mapping.patterns == ('{"body": ["z"]}',)


@pytest.mark.parametrize("source", ["sqs", "kinesis"])
def test_what_is_recorded_is_read_as_it_was(source: Source) -> None:
    """By way of JSON, which knows no tuples."""
    before = recorded(source, FilterCriteria={"Filters": [{"Pattern": PATTERN}]}, Tags={"a": "b"})

    assert recorded_mapping(orjson.loads(orjson.dumps(before.document()))) == before
    for broken in ({}, {**before.document(), "source": "s3"}, {**before.document(), "members": {"BatchSize": -1}}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            recorded_mapping(broken)


MAPPINGS = {f"u{number:03}": (f"s{number % 2}", f"f{number % 5}") for number in range(250)}


def uuids(query: dict[str, list[str]], function: str = "") -> list[list[str]]:
    """Those of each page."""
    pages: list[list[str]] = []
    marker: str | None = ""
    while marker is not None:
        found, marker = page(MAPPINGS, read_list({**query, "Marker": [marker]}), function)
        pages.append(found)
    return pages


def test_api_06_pages() -> None:
    """API-06: a hundred at most, fewer if asked; each mapping once, in order."""
    every = sorted(MAPPINGS)

    assert [len(each) for each in uuids({})] == [100, 100, 50]
    assert [len(each) for each in uuids({"MaxItems": ["10000"]})] == [PAGE_LIMIT, 100, 50]
    assert [len(each) for each in uuids({"MaxItems": ["125"]})] == [100, 100, 50]
    assert [len(each) for each in uuids({"MaxItems": ["50"]})] == [50] * 5
    assert [uuid for each in uuids({"MaxItems": ["7"]}) for uuid in each] == every
    assert uuids({"EventSourceArn": ["s1"], "MaxItems": ["1000"]}, "f0") == [every[5::10]]


@pytest.mark.parametrize(
    "query",
    [
        {"MaxItems": ["0"]},
        {"MaxItems": ["10001"]},
        {"MaxItems": ["x"]},
        {"MaxItems": ["9" * 5000]},
        {"MaxItems": ["²"]},
        {"Marker": ["?"]},
        {"MaxItems": ["1", "2"]},
    ],
)
def test_api_06_rubbish_in_a_listing_is_refused(query: dict[str, list[str]]) -> None:
    """API-06: with the name of the parameter."""
    assert next(iter(query)).lower() in refusal(read_list, query).lower()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just(QUEUE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([QUEUE, STREAM, TABLE, None]), st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=5))
def test_whatever_is_sent_is_taken_or_refused(arn: str | None, members: dict[str, Any]) -> None:
    """Never an exception of Python's; and what is taken can be shown, kept and read again."""
    body = {"EventSourceArn": arn, "FunctionName": "pay", "StartingPosition": "LATEST", **members}
    if body["EventSourceArn"] == QUEUE and body["StartingPosition"] == "LATEST":
        del body["StartingPosition"]
    try:
        request = read_create(body)
        made = replace(
            recorded(), source=request.source, source_arn=request.source_arn, members=request.members, tags=request.tags
        )
        shown = made.shown("OK")
        changed = made.updated(read_update(members, request.source), None, 2.0)
    except InvalidParameterValue:
        return
    assert recorded_mapping(orjson.loads(orjson.dumps(made.document()))).shown("OK") == shown
    assert orjson.dumps(changed.document())
