"""What a user declares, and what happens when it runs."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap import App, EventSourceMapping, Function, each_record
from eventmap.clock import utc_now
from eventmap.errors import ConfigurationError, InvalidParameterValue, ResourceConflict
from eventmap.rules.configuration import already_exists
from eventmap.testing import MemorySqs
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
