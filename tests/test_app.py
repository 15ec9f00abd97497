"""What a user declares, and what happens when it runs."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap import App, EventSourceMapping, Function, HttpSettings, S3Notification, SnsSubscription, each_record
from eventmap.clock import utc_now
from eventmap.errors import ConfigurationError, InvalidParameterValue, ResourceConflict
from eventmap.rules.configuration import already_exists, stream_already_exists
from eventmap.stream_mapping import StreamMapping
from eventmap.testing import MemoryDynamoDb, MemoryKinesis, MemorySqs
from tests.delivery.scene import Handler, numbered, working
from tests.testing.queues import queue


async def nothing(event: object, context: object) -> None:
    """Does nothing."""


def test_decorators_declare_a_function_and_its_mapping() -> None:
    """AWS' names in snake_case; the handler itself is returned unchanged."""
    app = App()

    @app.function(timeout=30, memory_size=256)
    @app.sqs("orders", batch_size=5)
    def charge_orders(event: object, context: object) -> str:
        return "mine"

    [function], [mapping] = app.functions(), app.mappings()
    assert charge_orders(None, None) == "mine"
    assert (function.function_name, function.timeout, function.memory_size) == ("charge_orders", 30, 256)
    assert (function.handler, mapping.event_source_arn) == (charge_orders, "orders")
    assert (mapping.function_name, mapping.batch_size) == ("charge_orders", 5)


def test_the_order_of_decorators_does_not_matter() -> None:
    """`@app.function` above or below `@app.sqs`, and several queues on one function."""
    app = App()

    @app.sqs("b")
    @app.function(timeout=30, function_name="charge")
    @app.sqs("a")
    def handler(event: object, context: object) -> None:
        """Does nothing."""

    assert [function.timeout for function in app.functions()] == [30]
    assert [(each.event_source_arn, each.function_name) for each in app.mappings()] == [
        ("a", "charge"),
        ("b", "charge"),
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 11}, "Maximum batch window in seconds must be greater than 0"),
        ({"batch_sise": 1}, "batch_sise is not a setting of a queue mapping"),
        ({"timeout": 5}, r"timeout is a setting of the function: write @app.function\(timeout=…\)"),
        ({"parallelization_factor": 2}, "streams only"),
        ({"scaling_config": {"MaximumConcurrency": 2}}, "write its member as maximum_concurrency"),
    ],
)
def test_sqs_11_14_a_wrong_setting_is_refused_where_it_is_written(settings: dict[str, Any], words: str) -> None:
    """SQS-11, SQS-14: at the decorator, not at the start."""
    with pytest.raises(InvalidParameterValue, match=words):
        App().sqs("orders", **settings)


def test_inv_80_a_wrong_function_setting_is_refused_where_it_is_written() -> None:
    """INV-80: names and values alike."""
    app = App()
    with pytest.raises(InvalidParameterValue, match="batch_size is not a setting of a function"):
        app.function(batch_size=5)
    with pytest.raises(InvalidParameterValue, match="at 'timeout'"):
        app.function(timeout=901)(nothing)


def test_sqs_100_a_per_record_handler_turns_item_failures_on() -> None:
    """SQS-100: its answer would mean nothing otherwise; a setting that was written goes before it."""
    app = App()

    @each_record
    def first(record: object, context: object) -> None: ...

    @each_record
    def second(record: object, context: object) -> None: ...

    app.sqs("a")(first)
    app.sqs("b", function_response_types=[])(second)

    assert [mapping.reports_item_failures for mapping in app.mappings()] == [True, False]


def test_plain_values_are_added_as_they_are() -> None:
    """For who builds mappings from data."""
    app = App()
    function = Function(handler=nothing, function_name="work")
    mapping = EventSourceMapping(event_source_arn="orders", function_name="work")

    app.add(function, mapping)

    assert (app.functions(), app.mappings()) == ((function,), (mapping,))


def test_names_that_do_not_fit_together_are_refused() -> None:
    """A mapping of another function, two handlers of one name."""
    app = App()
    with pytest.raises(ConfigurationError, match="is for function 'other', not 'work'"):
        app.add(
            Function(handler=nothing, function_name="work"),
            EventSourceMapping(event_source_arn="orders", function_name="other"),
        )

    app.sqs("a", function_name="same")(nothing)
    with pytest.raises(ConfigurationError, match="two handlers are called 'same'"):

        @app.sqs("b", function_name="same")
        def another(event: object, context: object) -> None: ...


def test_inv_87_a_handler_without_a_fit_name_gets_one() -> None:
    """INV-87: made of what it is called, of characters AWS allows."""
    app = App()
    app.sqs("orders")(lambda event, context: None)

    assert [function.function_name for function in app.functions()] == ["lambda"]


@pytest.mark.virtual_time
async def test_sqs_13_one_queue_and_one_function_are_mapped_once(memory_sqs: MemorySqs) -> None:
    """SQS-13: by name and by ARN it is the same queue; AWS' words, before anything is received."""
    orders = queue(memory_sqs)
    orders.put("a")
    arn = "arn:aws:sqs:us-east-1:123456789012:orders"
    app = App()
    app.add(
        Function(handler=nothing, function_name="work"),
        EventSourceMapping(event_source_arn="orders", function_name="work"),
        EventSourceMapping(event_source_arn=arn, function_name="work"),
    )

    with pytest.raises(ResourceConflict) as refused:
        async with app.running(queue_api=memory_sqs):
            pass

    assert str(refused.value) == already_exists(arn, "work")
    assert memory_sqs.journal.calls["ReceiveMessage"] == 0


@pytest.mark.virtual_time
async def test_sqs_13_two_functions_may_share_a_queue(memory_sqs: MemorySqs) -> None:
    """SQS-13: the pair is what must be unique; the messages are shared out."""
    queue(memory_sqs).put(*numbered(40))
    app, first, second = App(), Handler(seconds=1), Handler(seconds=1)
    for name, handler in (("first", first), ("second", second)):
        app.add(
            Function(handler=handler, function_name=name, reserved_concurrent_executions=1),
            EventSourceMapping(event_source_arn="orders", function_name=name, batch_size=1),
        )

    async with app.running(queue_api=memory_sqs) as running:
        await running.until_empty()

    assert sorted(first.bodies + second.bodies) == sorted(numbered(40))
    assert first.bodies
    assert second.bodies


@pytest.mark.virtual_time
async def test_sqs_15_a_missing_queue_is_refused_at_the_start(memory_sqs: MemorySqs) -> None:
    """SQS-15: in AWS' words, and with the name that was asked for."""
    with pytest.raises(InvalidParameterValue, match=r"NonExistentQueue.*The specified queue does not exist.*nowhere"):
        async with working(memory_sqs, nothing, queue="nowhere"):
            pass


@pytest.mark.virtual_time
@pytest.mark.parametrize(("visibility", "timeout", "accepted"), [(30, 30, True), (30, 31, False), (0, 3, False)])
async def test_sqs_16_64_a_function_may_not_outlive_visibility(
    memory_sqs: MemorySqs, visibility: int, timeout: int, accepted: bool
) -> None:
    """SQS-16, SQS-64: refused at the start in AWS' words; equal is accepted: six times as long is advice."""
    queue(memory_sqs, VisibilityTimeout=str(visibility))
    words = f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"

    if accepted:
        async with working(memory_sqs, nothing, timeout=timeout):
            pass
    else:
        with pytest.raises(InvalidParameterValue) as refused:
            async with working(memory_sqs, nothing, timeout=timeout):
                pass
        assert str(refused.value) == words


@pytest.mark.virtual_time
async def test_sqs_17_a_running_mapping_shows_itself_as_aws_would(memory_sqs: MemorySqs) -> None:
    """SQS-17: exactly the members of CreateEventSourceMapping."""
    queue(memory_sqs)

    async with working(memory_sqs, nothing) as running:
        [shown] = running.configurations()
        now = utc_now().timestamp()

    assert set(shown) == {
        "UUID",
        "BatchSize",
        "MaximumBatchingWindowInSeconds",
        "EventSourceArn",
        "EventSourceMappingArn",
        "FunctionArn",
        "FunctionResponseTypes",
        "LastModified",
        "State",
        "StateTransitionReason",
    }
    assert (shown["FunctionArn"], shown["LastModified"]) == ("arn:aws:lambda:us-east-1:123456789012:function:work", now)


@pytest.mark.virtual_time
async def test_fil_08_80_an_invalid_pattern_is_refused_at_the_start(memory_sqs: MemorySqs) -> None:
    """FIL-08, FIL-80: never at the first message."""
    queue(memory_sqs)

    with pytest.raises(InvalidParameterValue, match=r"^Invalid filter pattern definition\."):
        async with working(memory_sqs, nothing, filter_criteria={"Filters": [{"Pattern": '{"body":{"a":"b"}}'}]}):
            pass


@pytest.mark.virtual_time
async def test_a_mapping_without_its_function_is_refused(memory_sqs: MemorySqs) -> None:
    """And so are two functions of one name."""
    app = App()
    app.add(Function(handler=nothing, function_name="work"))
    app.add(Function(handler=nothing, function_name="work"))

    with pytest.raises(ConfigurationError, match="two functions have the same function_name"):
        async with app.running(queue_api=memory_sqs):
            pass


@pytest.mark.virtual_time
async def test_until_empty_waits_for_what_is_delayed_or_in_flight(memory_sqs: MemorySqs) -> None:
    """Nothing visible is not nothing left: a delayed message, and one that failed and comes back."""
    orders = queue(memory_sqs, VisibilityTimeout="30")
    orders.put("delayed", delay_seconds=100)
    orders.put("fails")
    attempts = 0

    def once(records: list[dict[str, Any]]) -> object:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ValueError("the first time")
        return None

    handler = Handler(then=once)
    async with working(memory_sqs, handler) as running:
        with anyio.fail_after(200):
            await running.until_empty()
        backlog = await running.backlog()

    assert handler.times == [0, 30, 100]
    assert [each.total for each in backlog.values()] == [0]


@pytest.mark.virtual_time
async def test_a_block_without_mappings_is_fine(memory_sqs: MemorySqs) -> None:
    """An app that maps nothing has nothing to do and nothing to wait for."""
    async with App().running(queue_api=memory_sqs) as running:
        await running.until_empty()

    assert running.statistics() == {}


# Streams. ---------------------------------------------------------------------------------------------------------


def test_decorators_map_streams_beside_queues() -> None:
    """One function on a queue, a Kinesis stream and a table; the handler itself is returned unchanged."""
    app = App()

    @app.kinesis("clicks", starting_position="LATEST", parallelization_factor=2)
    @app.dynamodb("orders", starting_position="TRIM_HORIZON", tumbling_window_in_seconds=60)
    @app.sqs("jobs")
    @app.function(timeout=30)
    def work(event: object, context: object) -> str:
        return "mine"

    _, table, stream = app.mappings()
    assert work(None, None) == "mine"
    assert isinstance(table, StreamMapping)
    assert isinstance(stream, StreamMapping)
    assert (table.event_source, table.event_source_arn, table.tumbling_window_in_seconds) == ("dynamodb", "orders", 60)
    assert (stream.event_source, stream.event_source_arn, stream.parallelization_factor) == ("kinesis", "clicks", 2)
    assert {mapping.function_name for mapping in app.mappings()} == {"work"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "Value null at 'startingPosition' failed to satisfy constraint: Member must not be null"),
        ({"starting_position": "FIRST"}, r"enum value set: \[LATEST, AT_TIMESTAMP, TRIM_HORIZON\]"),
        ({"starting_position": "LATEST", "batch_size": 10_001}, "batchSize"),
        ({"starting_position": "LATEST", "maximum_concurrency": 2}, "maximum_concurrency is not supported for streams"),
        ({"starting_position": "LATEST", "timeout": 5}, r"write @app.function\(timeout=…\)"),
    ],
)
def test_str_01_16_a_wrong_setting_of_a_stream_is_refused_where_it_is_written(
    settings: dict[str, Any], words: str
) -> None:
    """STR-01, STR-16: at the decorator, in AWS' words where they are known."""
    with pytest.raises(InvalidParameterValue, match=words):
        App().kinesis("clicks", **settings)


def test_str_16_a_table_cannot_be_begun_at_a_timestamp() -> None:
    """STR-16: in AWS' words."""
    with pytest.raises(InvalidParameterValue, match="Unsupported starting position for arn type: orders"):
        App().dynamodb("orders", starting_position="AT_TIMESTAMP", starting_position_timestamp=1.0)


@pytest.mark.virtual_time
async def test_an_app_reads_streams_and_queues_side_by_side(memory_sqs: MemorySqs) -> None:
    """`running` as a user writes it: no lease store of one's own, everything is read once and in order."""
    queue(memory_sqs, "jobs").put("a")
    kinesis, dynamodb = MemoryKinesis(), MemoryDynamoDb()
    kinesis.create_stream("clicks")
    dynamodb.create_table("orders")
    app, seen = App(), []

    @app.dynamodb("orders", starting_position="TRIM_HORIZON")
    @app.kinesis("clicks", starting_position="TRIM_HORIZON")
    @app.sqs("jobs")
    async def work(event: dict[str, Any], context: object) -> None:
        seen.extend(record["eventSource"] for record in event["Records"])

    async with app.running(
        queue_api=memory_sqs, kinesis_api=kinesis, dynamodb_api=dynamodb, leases="memory"
    ) as running:
        kinesis.put_record("clicks", b"1", "k")
        dynamodb.put_item("orders", {"id": {"S": "1"}})
        await running.until_caught_up()
        await running.until_empty()

        assert sorted(seen) == ["aws:dynamodb", "aws:kinesis", "aws:sqs"]
        assert {arn.split(":")[2]: each.done for (arn, _), each in running.statistics().items()} == {
            "sqs": 1,
            "kinesis": 1,
            "dynamodb": 1,
        }
        assert [each.arn.split(":")[2] for each in running.streams()] == ["kinesis", "dynamodb"]


@pytest.mark.virtual_time
async def test_str_36_an_app_goes_on_at_its_state_file(tmp_path: Path) -> None:
    """STR-36: what one run saved, the next one does not read again."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("clicks")
    app, seen = App(), []

    @app.kinesis("clicks", starting_position="TRIM_HORIZON")
    async def work(event: dict[str, Any], context: object) -> None:
        seen.extend(record["kinesis"]["partitionKey"] for record in event["Records"])

    for key in ("a", "b"):
        kinesis.put_record("clicks", b"1", key)
        async with app.running(kinesis_api=kinesis, state=tmp_path / "state.sqlite") as running:
            await running.until_caught_up()

    assert seen == ["a", "b"]


@pytest.mark.virtual_time
async def test_str_17_a_missing_stream_is_refused_at_the_start() -> None:
    """STR-17: in AWS' words, before anything is read."""
    app = App()
    app.kinesis("clicks", starting_position="LATEST")(nothing)

    with pytest.raises(InvalidParameterValue, match="Stream not found: clicks"):
        async with app.running(kinesis_api=MemoryKinesis(), leases="memory"):
            pass


@pytest.mark.virtual_time
async def test_str_17_one_stream_and_one_function_are_mapped_once() -> None:
    """STR-17: by name and by ARN it is the same stream."""
    kinesis = MemoryKinesis()
    arn = kinesis.create_stream("clicks")
    app = App()
    for name in ("clicks", arn):
        app.kinesis(name, starting_position="LATEST")(nothing)

    with pytest.raises(ResourceConflict) as refused:
        async with app.running(kinesis_api=kinesis, leases="memory"):
            pass

    assert str(refused.value) == stream_already_exists(arn, "nothing")


@pytest.mark.virtual_time
async def test_str_15_a_running_stream_mapping_shows_itself_as_aws_would() -> None:
    """STR-15: with all defaults spelled out."""
    kinesis = MemoryKinesis()
    arn = kinesis.create_stream("clicks")
    app = App()
    app.kinesis("clicks", starting_position="LATEST")(nothing)

    async with app.running(kinesis_api=kinesis, leases="memory") as running:
        [shown] = running.configurations()

    assert shown["EventSourceArn"] == arn
    assert {name: shown[name] for name in ("BatchSize", "ParallelizationFactor", "MaximumRetryAttempts")} == {
        "BatchSize": 100,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
    }


@pytest.mark.virtual_time
async def test_str_180_the_failover_time_is_a_setting_of_a_second_at_least(memory_kinesis: MemoryKinesis) -> None:
    """STR-180: less than a second would be lost to a slow call, so it is refused before anything is read."""
    memory_kinesis.create_stream("clicks")
    app = App()
    app.kinesis("clicks", starting_position="LATEST")(Handler())

    with pytest.raises(ConfigurationError, match="at least 1 second"):
        async with app.running(kinesis_api=memory_kinesis, leases="memory", failover_s=0.5):
            pass
    async with app.running(kinesis_api=memory_kinesis, leases="memory", failover_s=3) as running:
        await anyio.sleep(1)
        [statistics] = running.statistics().values()
        assert statistics.shards == 1


# Topics and buckets. ----------------------------------------------------------------------------------------------


def test_decorators_map_topics_and_buckets_beside_the_others() -> None:
    """One function on a queue, a topic and a bucket; the handler itself is returned unchanged."""
    app = App()

    @app.s3("photos", prefix="uploads/", events=["s3:ObjectRemoved:*"])
    @app.sns("placed-orders", filter_policy={"kind": ["sale"]})
    @app.sqs("jobs")
    @app.function(timeout=30, maximum_retry_attempts=1, aliases=["live"])
    def work(event: object, context: object) -> str:
        return "mine"

    [function] = app.functions()
    _, topic, bucket = app.mappings()
    assert work(None, None) == "mine"
    assert (function.maximum_retry_attempts, function.aliases) == (1, ["live"])
    assert topic == SnsSubscription(topic_arn="placed-orders", function_name="work", filter_policy={"kind": ["sale"]})
    assert bucket == S3Notification(
        bucket="photos", function_name="work", prefix="uploads/", events=["s3:ObjectRemoved:*"]
    )


def test_a_function_needs_no_source() -> None:
    """A server calls it by its name."""
    app = App()
    app.function(timeout=5)(nothing)

    assert [function.function_name for function in app.functions()] == ["nothing"]
    assert app.mappings() == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"filter_polcy": {}}, "filter_polcy is not a setting of a subscription"),
        ({"timeout": 5}, r"write @app.function\(timeout=…\)"),
        ({"maximum_retry_attempts": 1}, r"write @app.function\(maximum_retry_attempts=…\)"),
        ({"destination_config": {}}, r"write @app.function\(destination_config=…\)"),
        ({"raw_message_delivery": True}, r"raw delivery does not apply to functions \(SNS-59\)"),
        ({"filter_policy_scope": "Body"}, "filterPolicyScope"),
    ],
)
def test_sns_59_75_a_wrong_setting_of_a_topic_is_refused_where_it_is_written(
    settings: dict[str, Any], words: str
) -> None:
    """SNS-59, SNS-75: at the decorator."""
    with pytest.raises(InvalidParameterValue, match=words):
        App().sns("orders", **settings)


def test_sns_125_src_25_what_cannot_invoke_a_function_is_refused_where_it_is_written() -> None:
    """SNS-125, SRC-25: a FIFO topic; an event S3 does not have."""
    with pytest.raises(InvalidParameterValue, match="FIFO topic, which cannot invoke a function"):
        App().sns("orders.fifo")
    with pytest.raises(InvalidParameterValue, match="is no event of S3"):
        App().s3("photos", events=["ObjectCreated"])


def test_a_per_record_handler_is_refused_where_its_answer_means_nothing() -> None:
    """An event of a topic fails or not as a whole: a partial answer would lose its failures."""

    @each_record
    def picky(record: object, context: object) -> None: ...

    for subscribe in (App().sns("orders"), App().s3("photos")):
        with pytest.raises(
            InvalidParameterValue, match="picky is made with @each_record, which reports failed records"
        ):
            subscribe(picky)


def test_a_stream_has_retries_and_a_destination_of_its_own() -> None:
    """The names are those of a function's asynchronous events, too, and mean its batches here."""
    app = App()
    app.kinesis("clicks", starting_position="LATEST", maximum_retry_attempts=5)(nothing)
    app.function(maximum_retry_attempts=1)(nothing)

    [mapping] = app.mappings()
    [function] = app.functions()
    assert isinstance(mapping, StreamMapping)
    assert (mapping.maximum_retry_attempts, function.maximum_retry_attempts) == (5, 1)


def test_a_topic_of_another_function_is_refused() -> None:
    """By the name that was written."""
    function = Function(handler=nothing, function_name="work")

    with pytest.raises(ConfigurationError, match="mapping of 'orders' is for function 'other', not 'work'"):
        App().add(function, SnsSubscription(topic_arn="orders", function_name="other"))
    with pytest.raises(ConfigurationError, match="mapping of 'photos' is for function 'other', not 'work'"):
        App().add(function, S3Notification(bucket="photos", function_name="other"))


async def test_an_app_serves_its_functions(tmp_path: Path) -> None:
    """A function without a source, called by its name; an `Event` is kept in the file and has ended when it is idle."""
    app, seen = App(), []
    file = tmp_path / "events.sqlite"

    @app.function()
    async def work(event: object, context: object) -> object:
        seen.append(event)
        return event

    def post(url: str, kind: str) -> tuple[int, bytes]:
        request = urllib.request.Request(
            f"{url}/2015-03-31/functions/work/invocations", b'{"n": 1}', {"X-Amz-Invocation-Type": kind}
        )
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()

    async with app.running(http=HttpSettings(), events=file) as running:
        assert running.url is not None
        answered = await anyio.to_thread.run_sync(post, running.url, "RequestResponse")
        accepted = await anyio.to_thread.run_sync(post, running.url, "Event")
        await running.until_idle()
        [statistics] = running.asynchronous().values()

    assert (answered, accepted) == ((200, b'{"n": 1}'), (202, b""))
    assert seen == [{"n": 1}, {"n": 1}]
    assert (statistics.received, statistics.done) == (1, 1)
    assert file.exists()


def test_beyond_this_machine_callers_are_asked_who_they_are() -> None:
    """Refused where it is written: nobody opens a machine to others by accident."""
    with pytest.raises(ConfigurationError, match=r"listening on 0\.0\.0\.0 lets other machines invoke the functions"):
        HttpSettings(host="0.0.0.0")
    assert HttpSettings(host="0.0.0.0", access_keys={"AKID": "secret"}).port == 0
    assert HttpSettings(host="0.0.0.0", allow_anonymous=True).access_keys == {}
    with pytest.raises(ConfigurationError, match="port must be 0 to 65535"):
        HttpSettings(port=65_536)


async def test_where_events_are_is_checked_before_anything_runs() -> None:
    """A name that is neither a file nor a queue."""
    with pytest.raises(ConfigurationError, match="events can be in sqlite, memory or sqs:QUEUE, not 'redis'"):
        async with App().running(events="redis"):
            pass
