"""Functions and pollers that come, change and go while a service runs: nothing is lost, nothing done twice."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from eventmap import EventSourceMapping, Function
from eventmap.errors import ConfigurationError, EventmapError, ResourceConflict
from eventmap.model import Event, Refused, Returned
from eventmap.state.events_memory import MemoryEvents
from eventmap.stream_mapping import StreamMapping
from eventmap.testing import MemoryKinesis, MemorySqs
from tests.delivery.scene import Handler

from .live import Live, live

pytestmark = pytest.mark.virtual_time


def answering(text: str, seconds: float = 0.0) -> Any:
    async def handler(event: Any, context: Any) -> str:
        await anyio.sleep(seconds)
        return text

    return handler


def work(handler: Any, **settings: Any) -> Function:
    return Function(handler=handler, function_name="work", **settings)


def of_queue(**settings: Any) -> EventSourceMapping:
    return EventSourceMapping(**{"event_source_arn": "orders", "function_name": "work", **settings})


async def invoked(scene: Live, name: str = "work") -> object:
    function = scene.functions.invokable[name]
    response, _ = await function.invoke(
        Event({}, b"{}"),
        request_id="11111111-2222-4333-8444-555555555555",
        invoked_arn=function.arn,
        client_context=None,
        trace_id="",
        wants_log=False,
    )
    return response.payload if isinstance(response, Returned) else response


async def test_invocations_under_way_end_on_the_old_code_and_later_ones_run_on_the_new() -> None:
    """A function's code is replaced in the middle of an invocation."""
    answers: list[object] = []

    async def invoke(scene: Live) -> None:
        answers.append(await invoked(scene))

    async with live(work(answering("old", 10), timeout=60)) as scene, anyio.create_task_group() as tasks:
        tasks.start_soon(invoke, scene)
        await anyio.sleep(1)
        await scene.functions.replace(work(answering("new")))
        answers.append(await invoked(scene))

    assert answers == [b'"new"', b'"old"']


async def test_another_concurrency_holds_at_once() -> None:
    """PutFunctionConcurrency: what runs above the new limit ends; nothing new begins before it has."""
    async with live(work(answering("done", 10), timeout=60)) as scene, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(invoked, scene)
        await anyio.sleep(1)
        await scene.functions.replace(work(answering("done"), reserved_concurrent_executions=1))
        refused = await invoked(scene)
        await anyio.sleep(20)
        answered = await invoked(scene)

    assert isinstance(refused, Refused)
    assert answered == b'"done"'


async def test_a_destination_that_is_refused_leaves_the_function_as_it_was() -> None:
    """The new configuration is checked before anything of the old one is gone."""
    broken = work(
        answering("new"),
        destination_config={"OnSuccess": {"Destination": "arn:aws:lambda:us-east-1:123456789012:function:other:gone"}},
    )
    other = Function(handler=answering("other"), function_name="other")
    async with live(work(answering("old")), other) as scene:
        with pytest.raises(ConfigurationError, match="no such alias"):
            await scene.functions.replace(broken)
        answer = await invoked(scene)

    assert answer == b'"old"'


async def test_a_function_comes_and_goes() -> None:
    """It is invoked while it is here; a name that is taken is refused; a second stop is fine."""
    async with live() as scene:
        await scene.functions.start(work(answering("here")))
        answer = await invoked(scene)
        arn = scene.functions.arn("work")
        with pytest.raises(ResourceConflict):
            await scene.functions.start(work(answering("again")))
        await scene.functions.stop("work")
        await scene.functions.stop("work")
        gone = "work" not in scene.functions.invokable

    assert (answer, gone) == (b'"here"', True)
    assert arn == scene.functions.arn_of_absent("work") == "arn:aws:lambda:us-east-1:123456789012:function:work"


async def test_an_invocation_under_way_ends_before_its_function_has_gone() -> None:
    """DeleteFunction cuts nothing off."""
    answers: list[object] = []

    async def invoke(scene: Live) -> None:
        answers.append(await invoked(scene))

    async with live() as scene, anyio.create_task_group() as tasks:
        await scene.functions.start(work(answering("to the end", 10), timeout=60))
        tasks.start_soon(invoke, scene)
        await anyio.sleep(1)
        await scene.functions.stop("work")
        at_the_stop = list(answers)

    assert at_the_stop == answers == [b'"to the end"']


async def test_inv_64a_what_a_function_had_accepted_waits_for_one_of_that_name() -> None:
    """Nothing accepted is lost with the function: it is owed until one of that name is made anew."""
    ran: list[object] = []

    async def failing(event: Any, context: Any) -> None:
        raise ValueError("boom")

    async def remembering(event: Any, context: Any) -> None:
        ran.append(event)

    events = MemoryEvents()
    async with live(events=events) as scene:
        await scene.functions.start(work(failing))
        accept = scene.functions.invokable["work"].accept
        await accept(b'{"n":1}', request_id="11111111-2222-4333-8444-555555555555")
        await anyio.sleep(1)
        await scene.functions.stop("work")
        with pytest.raises(EventmapError, match="does not run here any more"):
            await accept(b'{"n":2}', request_id="21111111-2222-4333-8444-555555555555")
        await scene.functions.start(work(remembering))
        await anyio.sleep(3600)

    assert ran == [{"n": 1}]


async def test_a_queue_is_polled_from_the_start_to_the_stop() -> None:
    """What is received before the stop is handled to its end, what comes after it stays in the queue."""
    sqs, handler = MemorySqs(), Handler(seconds=5)
    sqs.add_queue("orders")
    async with live(work(handler, timeout=20), queue_api=sqs) as scene:
        arn = await scene.pollers.resolve(of_queue())
        await scene.pollers.start("one", of_queue())
        before = scene.pollers.last_processing_result("one")
        sqs.put("orders", "early")
        await anyio.sleep(2)
        await scene.pollers.stop("one")
        after = scene.pollers.last_processing_result("one")
        sqs.put("orders", "late")
        await anyio.sleep(300)

    assert arn == "arn:aws:sqs:us-east-1:123456789012:orders"
    assert handler.bodies == ["early"]
    assert (before, after) == ("No records processed", "OK")
    assert [message.body for message in sqs.messages("orders")] == ["late"]


@pytest.mark.parametrize("seed", range(10))
async def test_stopped_and_started_in_the_middle_of_work_nothing_is_lost_or_done_twice(seed: int) -> None:
    """An update is a stop and a start: messages in hand are confirmed before anybody else could receive them."""
    sqs, handler = MemorySqs(), Handler(seconds=0.3)
    sqs.add_queue("orders")
    async with live(work(handler, timeout=20), queue_api=sqs) as scene, anyio.create_task_group() as tasks:

        async def send() -> None:
            for number in range(200):
                sqs.put("orders", str(number))
                await anyio.sleep(0.02)

        tasks.start_soon(send)
        for turn in range(8):
            await scene.pollers.start("one", of_queue(batch_size=1 + (turn + seed) % 10))
            await anyio.sleep(0.13 * (1 + (turn * 7 + seed) % 5))
            await scene.pollers.stop("one")
        await scene.pollers.start("one", of_queue())
        await anyio.sleep(120)

    assert sorted(handler.bodies, key=int) == [str(number) for number in range(200)]


async def test_a_stream_goes_on_where_it_was_stopped_and_begins_anew_when_forgotten() -> None:
    """A stop keeps the checkpoints, forgetting drops them (API-60: a mapping made anew begins at its position)."""
    kinesis, handler = MemoryKinesis(), _Sequences()
    kinesis.create_stream("orders", 1)
    mapping = StreamMapping(
        event_source="kinesis", event_source_arn="orders", function_name="work", starting_position="TRIM_HORIZON"
    )
    async with live(work(handler), kinesis_api=kinesis) as scene:
        await scene.pollers.start("one", mapping)
        kinesis.put_record("orders", b"a", "key")
        await anyio.sleep(30)
        await scene.pollers.stop("one")
        kinesis.put_record("orders", b"b", "key")
        await scene.pollers.start("one", mapping)
        await anyio.sleep(30)
        await scene.pollers.forget("one", mapping)
        so_far = list(handler.seen)
        await scene.pollers.start("two", mapping)
        await anyio.sleep(30)

    assert so_far == ["YQ==", "Yg=="]
    assert handler.seen == [*so_far, "YQ==", "Yg=="]


async def test_a_failure_is_told_as_the_last_result() -> None:
    """API-62."""
    sqs = MemorySqs()
    sqs.add_queue("orders")

    async def failing(event: Any, context: Any) -> None:
        raise ValueError("boom")

    async with live(work(failing), queue_api=sqs) as scene:
        await scene.pollers.start("one", of_queue())
        sqs.put("orders", "bad")
        await anyio.sleep(2)
        result = scene.pollers.last_processing_result("one")

    assert result == "PROBLEM: Function call failed"


async def test_what_cannot_be_polled_is_refused_and_nothing_is_left_of_it() -> None:
    """A queue that does not exist, a function that does not run: an error, and no poller."""
    async with live(work(answering("x")), queue_api=MemorySqs()) as scene:
        for mapping in (of_queue(), of_queue(function_name="nobody")):
            with pytest.raises(EventmapError):
                await scene.pollers.resolve(mapping)
            with pytest.raises(EventmapError):
                await scene.pollers.start("one", mapping)
        left = dict(scene.pollers.polled)

    assert left == {}


class _Sequences:
    """A handler that remembers the data of the records it was given."""

    __name__ = "work"

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, event: Any, context: Any) -> None:
        self.seen += [record["kinesis"]["data"] for record in event["Records"]]
