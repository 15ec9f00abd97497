"""The same scenarios on every queue: in memory under virtual time, and on servers nobody of us wrote, in time."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from aws_lambda_powertools.utilities.data_classes import SQSEvent

from eventmap import each_record
from eventmap.clock import elapsed_s
from eventmap.errors import InvalidParameterValue
from eventmap.sources.sqs import md5_of_attributes
from tests.delivery.scene import REPORTS, Handler, fail_for, numbered, report
from tests.servers.process import Server
from tests.servers.recipes import SQS_SERVERS

from .deviations import DEVIATIONS
from .places import Memory, OnServer, Place, grouped, plain, redrive, working

DEADLINE_S = 25
MEMORY = pytest.param("memory", marks=pytest.mark.virtual_time)
SERVERS = [pytest.param(name, marks=pytest.mark.server) for name in SQS_SERVERS]

Judge = Callable[..., None]


@pytest.fixture(params=[MEMORY, *SERVERS])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each SQS in turn."""
    if request.param == "memory":
        yield Memory()
        return
    start: Callable[[str], Server] = request.getfixturevalue("start_server")
    server = start(request.param)
    client = server.client("sqs")
    yield OnServer(server, client)
    client.close()


@pytest.fixture
def judge(request: pytest.FixtureRequest, place: Place) -> Judge:
    """`judge(aws=…, observed=…)` holds a scenario to AWS' ending, or to the server's own named deviation."""
    case = request.function.__name__.removeprefix("test_")

    def compare(*, aws: object, observed: object) -> None:
        deviation = DEVIATIONS.get((place.name, case))
        if deviation is None:
            assert observed == aws, f"on {place.name} this ends otherwise: name it in deviations.py"
        else:
            assert observed == deviation.observed, f"no longer true of {place.name}: {deviation.reason}"

    return compare


@pytest.fixture
def name() -> str:
    """A queue no other test uses."""
    return f"s-{uuid.uuid4().hex[:12]}"


@asynccontextmanager
async def deadline() -> AsyncIterator[None]:
    with anyio.fail_after(DEADLINE_S):
        yield


async def bodies_in(place: Place, url: str, count: int) -> list[str]:
    """What an independent client finds, waiting until there are `count` or nothing more comes."""
    found: list[str] = []
    while len(found) < count and (messages := await place.receive(url, wait_s=2)):
        found += [message["Body"] for message in messages]
    return sorted(found)


async def test_sqs_20_54_62_two_hundred_messages_are_drained_in_batches(place: Place, name: str, judge: Judge) -> None:
    """SQS-20, 54, 62: every message once, in batches of up to ten, all deleted."""
    url = await place.create(name, VisibilityTimeout="30")
    await place.send(url, plain(*numbered(200)))
    handler = Handler()

    async with deadline(), working(place, name, handler) as running:
        await running.until_empty(check_every_s=0.1)
        [counted] = running.statistics().values()

    assert max(map(len, handler.batches)) <= 10
    judge(
        aws=(sorted(numbered(200)), 200, 0),
        observed=(sorted(handler.bodies), counted.done, counted.possible_duplicates),
    )


async def test_sqs_55_61_68_poison_ends_in_the_dead_letter_queue(place: Place, name: str, judge: Judge) -> None:
    """SQS-55, 61, 68: delivered twice, a visibility timeout apart, then moved; the others are handled."""
    dead = await place.create(f"{name}-dead")
    url = await place.create(name, VisibilityTimeout="1", RedrivePolicy=redrive(await place.arn(dead), 2))
    await place.send(url, plain("poison", "good"))
    handler = Handler(then=fail_for("poison"))

    async with deadline(), working(place, name, handler, batch_size=1) as running:
        await running.until_empty(check_every_s=0.1)
        [counted] = running.statistics().values()

    gap = handler_gap(handler, "poison")
    assert 0.9 <= gap <= 4
    judge(
        aws=([1, 2], [1], ["poison"], 1),
        observed=(
            handler.receive_counts("poison"),
            handler.receive_counts("good"),
            await bodies_in(place, dead, 1),
            counted.dead_lettered,
        ),
    )


def handler_gap(handler: Handler, body: str) -> float:
    """Seconds between the first two deliveries of a message."""
    times = [each.at for each in handler.invocations if body in each.bodies]
    return times[1] - times[0]


async def test_sqs_57_61_partial_failures_return_alone(place: Place, name: str, judge: Judge) -> None:
    """SQS-57, 61, 99: named by message id; the others are deleted at once."""
    url = await place.create(name, VisibilityTimeout="1")
    await place.send(url, plain("a", "b", "c"))
    failed_once: list[str] = []

    def once(records: list[dict[str, Any]]) -> object:
        fresh = [] if failed_once else ["b"]
        failed_once.extend(fresh)
        return report(*fresh)(records)

    handler = Handler(then=once)
    async with deadline(), working(place, name, handler, batch_size=10, **REPORTS) as running:
        await running.until_empty(check_every_s=0.1)

    counts = [handler.receive_counts(body) for body in "abc"]
    judge(aws=[[1], [1, 2], [1]], observed=counts)


async def test_sqs_47_50_100_fifo_order_survives_retries(place: Place, name: str, judge: Judge) -> None:
    """SQS-47, 50, 100: on any server, each message's first success comes after that of all before it in its group."""
    url = await place.create(f"{name}.fifo", FifoQueue="true", VisibilityTimeout="1")
    await place.send(url, grouped("ab", 6))
    succeeded: list[str] = []
    attempts: dict[str, int] = {}

    @each_record(after_fifo_failure="skip_group")
    async def handler(record: dict[str, Any], _context: object) -> None:
        body = record["body"]
        attempts[body] = attempts.get(body, 0) + 1
        if body in ("a1", "a3", "b4") and attempts[body] == 1:
            raise ValueError("the first time")
        if body not in succeeded:
            succeeded.append(body)

    async with deadline(), working(place, f"{name}.fifo", handler, batch_size=4, **REPORTS) as running:
        await running.until_empty(check_every_s=0.1)

    by_group = [[body for body in succeeded if body[0] == group] for group in "ab"]
    judge(aws=[[f"{group}{n}" for n in range(6)] for group in "ab"], observed=by_group)


async def test_sqs_46_50_a_failing_group_stops_no_other(place: Place, name: str, judge: Judge) -> None:
    """SQS-46, 50: group a fails until it is dead-lettered; b and c are through meanwhile, in order."""
    dead = await place.create(f"{name}-dead.fifo", FifoQueue="true")
    url = await place.create(
        f"{name}.fifo", FifoQueue="true", VisibilityTimeout="1", RedrivePolicy=redrive(await place.arn(dead), 2)
    )
    await place.send(url, grouped("abc", 3))
    handler = Handler(then=fail_for("a0"))

    async with deadline(), working(place, f"{name}.fifo", handler, batch_size=1) as running:
        await running.until_empty(check_every_s=0.1)

    by_group = [[body for body in dict.fromkeys(handler.bodies) if body[0] == group] for group in "abc"]
    judge(
        aws=([[f"{group}{n}" for n in range(3)] for group in "abc"], ["a0"]),
        observed=(by_group, await bodies_in(place, dead, 1)),
    )


async def test_sqs_20_23_a_window_gathers_a_hundred_from_several_receives(
    place: Place, name: str, judge: Judge
) -> None:
    """SQS-20, 23: one batch of a hundred, long before the window of 20 s ends."""
    url = await place.create(name, VisibilityTimeout="30")
    await place.send(url, plain(*numbered(100)))
    handler = Handler()

    async with (
        deadline(),
        working(place, name, handler, batch_size=100, maximum_batching_window_in_seconds=20) as running,
    ):
        await running.until_empty(check_every_s=0.1)

    judge(aws=[100], observed=[len(batch) for batch in handler.batches])


async def test_sqs_28_29_59_filters_delete_what_they_reject(place: Place, name: str, judge: Judge) -> None:
    """SQS-28, 29, 59: what does not match is gone without an invocation."""
    url = await place.create(name, VisibilityTimeout="30")
    await place.send(url, plain(*[f'{{"n":{n}}}' for n in range(20)], "plain text"))
    handler = Handler()
    criteria = {"Filters": [{"Pattern": {"body": {"n": [{"numeric": ["<", 5]}]}}}]}

    async with deadline(), working(place, name, handler, filter_criteria=criteria) as running:
        await running.until_empty(check_every_s=0.1)
        [counted] = running.statistics().values()

    judge(
        aws=([f'{{"n":{n}}}' for n in range(5)], 16, 21),
        observed=(sorted(handler.bodies), counted.filtered, counted.done),
    )


async def test_sqs_21_141_a_drain_gives_a_long_poll_up_at_once(place: Place, name: str, judge: Judge) -> None:
    """SQS-21, 141: within half a second; the message sent afterwards is for the next worker."""
    url = await place.create(name, VisibilityTimeout="2")
    first, second = Handler(), Handler()

    async with deadline():
        async with working(place, name, first) as running:
            await place.send(url, plain("early"))
            while not first.invocations:
                await anyio.sleep(0.02)
            await anyio.sleep(0.5)
            began = elapsed_s()
            left = await running.drain()
            took = elapsed_s() - began
        await place.send(url, plain("late"))
        async with working(place, name, second) as running:
            await running.until_empty(check_every_s=0.1)

    assert took <= 0.5
    judge(aws=(0, ["early"], ["late"]), observed=(left, first.bodies, second.bodies))


async def test_sqs_144_what_never_ran_is_given_back_at_once(place: Place, name: str, judge: Judge) -> None:
    """SQS-144: gathered for a window that the drain cuts short; another client has it long before 30 s."""
    url = await place.create(name, VisibilityTimeout="60")
    await place.send(url, plain("a", "b", "c"))
    handler = Handler()

    async with deadline():
        async with working(place, name, handler, batch_size=100, maximum_batching_window_in_seconds=20) as running:
            [counted] = running.statistics().values()
            while counted.received < 3:
                await anyio.sleep(0.02)
        found = await bodies_in(place, url, 3)

    judge(aws=([], True, 3), observed=(handler.bodies, found == ["a", "b", "c"], counted.released))


async def test_sqs_61_66_backoff_shortens_the_visibility(place: Place, name: str, judge: Judge) -> None:
    """SQS-61, 66: our own setting reaches the queue: back after a second, not after a minute."""
    url = await place.create(name, VisibilityTimeout="60")
    await place.send(url, plain("a"))
    attempts: list[int] = []

    def once(_records: object) -> object:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("the first time")
        return None

    handler = Handler(then=once)
    async with deadline(), working(place, name, handler, retry_backoff_s=[1]) as running:
        await running.until_empty(check_every_s=0.1)

    assert handler_gap(handler, "a") <= 5
    judge(aws=[1, 2], observed=handler.receive_counts("a"))


ATTRIBUTES: dict[str, dict[str, Any]] = {
    "text": {"DataType": "String", "StringValue": "grün"},
    "number": {"DataType": "Number", "StringValue": "12.50"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "labelled": {"DataType": "String.json", "StringValue": "{}"},
}


async def test_sqs_22_110_to_125_powertools_reads_every_attribute(place: Place, name: str, judge: Judge) -> None:
    """SQS-22, 110..125: an independent reader; both digests verified by ours before the handler saw the record."""
    url = await place.create(f"{name}.fifo", FifoQueue="true", VisibilityTimeout="30")
    body = '{"n": "grün"}'
    entry = {"MessageBody": body, "MessageAttributes": ATTRIBUTES}
    await place.send(url, [{**entry, "MessageGroupId": "g", "MessageDeduplicationId": "d"}])
    handler = Handler()

    async with deadline(), working(place, f"{name}.fifo", handler) as running:
        await running.until_empty(check_every_s=0.1)
        [described] = running.queues()

    event = {"Records": handler.invocations[0].records}
    [record] = SQSEvent(event).records
    assert (record.json_body, record.event_source, record.event_source_arn) == ({"n": "grün"}, "aws:sqs", described.arn)
    assert (record.aws_region, record.attributes.approximate_receive_count) == ("us-east-1", "1")
    assert record.attributes.sent_timestamp.isdecimal()
    assert record.attributes.approximate_first_receive_timestamp.isdecimal()
    assert (record.attributes.message_group_id, record.attributes.message_deduplication_id) == ("g", "d")
    assert event["Records"][0]["messageAttributes"] == {
        "text": shaped("String", stringValue="grün"),
        "number": shaped("Number", stringValue="12.50"),
        "bytes": shaped("Binary", binaryValue="AP8="),
        "labelled": shaped("String.json", stringValue="{}"),
    }
    wired = {**ATTRIBUTES, "bytes": {"DataType": "Binary", "BinaryValue": "AP8="}}
    judge(aws=md5_of_attributes(wired), observed=event["Records"][0]["md5OfMessageAttributes"])


async def test_sqs_113_sequence_numbers_have_twenty_digits(place: Place, name: str, judge: Judge) -> None:
    """SQS-113: and are not needed to be: order does not depend on a server's numbers alone."""
    url = await place.create(f"{name}.fifo", FifoQueue="true", VisibilityTimeout="30")
    await place.send(url, grouped("a", 3))
    handler = Handler()

    async with deadline(), working(place, f"{name}.fifo", handler, batch_size=1) as running:
        await running.until_empty(check_every_s=0.1)

    numbers = [each.records[0]["attributes"]["SequenceNumber"] for each in handler.invocations]
    assert handler.bodies == ["a0", "a1", "a2"]
    judge(aws=True, observed=all(len(number) == 20 for number in numbers))


def shaped(data_type: str, **value: str) -> dict[str, Any]:
    return {**value, "stringListValues": [], "binaryListValues": [], "dataType": data_type}


async def test_sqs_15_a_missing_queue_is_refused(place: Place, name: str) -> None:
    """SQS-15: in AWS' words on every server, whatever code of its own it uses."""
    with pytest.raises(InvalidParameterValue, match=r"NonExistentQueue.*The specified queue does not exist"):
        async with deadline(), working(place, name, Handler()):
            pass
