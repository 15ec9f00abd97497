"""Topics, buckets and callers of real servers push to a service; plain boto3 publishes, puts, invokes and looks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from eventmap import App
from eventmap.service import HttpSettings, Running
from tests.servers.process import Server

pytestmark = pytest.mark.server


@pytest.fixture(params=["moto", "ministack"])
def server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """Each server that has SNS, S3 and SQS."""
    return start_server(request.param)


class Judge:
    """Plain boto3, asked from the loop."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def ask(self, service: str, call: str, **parameters: Any) -> Any:
        def asked() -> Any:
            client = self._server.client(service)
            try:
                return getattr(client, call)(**parameters)
            finally:
                client.close()

        return await to_thread.run_sync(asked)

    async def own_queues(self, *names: str) -> list[str]:
        """The queues of eventmap's own that have any of these in their name."""
        urls = (await self.ask("sqs", "list_queues", QueueNamePrefix="eventmap-")).get("QueueUrls", [])
        return [url for url in urls if any(name in url for name in names)]

    async def subscriptions(self, topic_arn: str) -> list[str]:
        answer = await self.ask("sns", "list_subscriptions_by_topic", TopicArn=topic_arn)
        return [each["Protocol"] for each in answer["Subscriptions"]]


@pytest.fixture
def judge(server: Server) -> Judge:
    return Judge(server)


class Seen:
    """A handler that keeps what it is given; it fails as often as told."""

    def __init__(self, name: str, failures: int = 0) -> None:
        self.__name__ = name
        self.events: list[dict[str, Any]] = []
        self._failures = failures

    async def __call__(self, event: Any, context: Any) -> None:
        self.events.append(event)
        if self._failures:
            self._failures -= 1
            raise ValueError("not this time")

    @property
    def messages(self) -> list[str]:
        return sorted(event["Records"][0]["Sns"]["Message"] for event in self.events)

    async def count(self, number: int) -> None:
        while len(self.events) < number:
            await anyio.sleep(0.02)


@asynccontextmanager
async def at_work(app: App, server: Server, folder: Path, **options: Any) -> AsyncIterator[Running]:
    """The app against the server, for half a minute at most."""
    with anyio.fail_after(30):
        async with app.running(
            endpoint_url=server.endpoint_url, region=server.region, events=folder / "events.sqlite", **options
        ) as running:
            yield running


async def make_topic(judge: Judge, name: str) -> str:
    return str((await judge.ask("sns", "create_topic", Name=name))["TopicArn"])


async def test_sns_02_20_29_50_58_a_topic_delivers_over_http(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """SNS-02, 20, 50..58: subscribed for the length of the run, confirmed, delivered, and unsubscribed at its end."""
    topic_arn = await make_topic(judge, fresh)
    app, seen = App(), Seen("orders")
    app.sns(fresh)(seen)

    async with at_work(app, server, tmp_path, http=HttpSettings()) as running:
        during = await judge.subscriptions(topic_arn)
        ways = [way for _, _, way in running.pushes()]
        await judge.ask("sns", "publish", TopicArn=topic_arn, Message="one", Subject="first")
        await seen.count(1)
        await running.until_idle()
        statistics = running.asynchronous()["orders"]
        counted, requests = running.endpoints()["/sns/orders"], running.requests()

    assert requests is not None and requests.pushes >= counted.accepted == 1
    assert (during, ways) == (["http"], ["http"])
    [record] = seen.events[0]["Records"]
    assert (record["EventSource"], record["Sns"]["TopicArn"], record["Sns"]["Subject"]) == (
        "aws:sns",
        topic_arn,
        "first",
    )
    assert record["EventSubscriptionArn"].startswith(f"{topic_arn}:")
    assert (statistics.received, statistics.done) == (1, 1)
    assert await judge.subscriptions(topic_arn) == []


async def test_sns_57_65_67_without_a_server_a_topic_delivers_over_a_queue_that_goes_with_the_run(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """SNS-65, 67: one event for each message, nothing is left behind at the server."""
    topic_arn = await make_topic(judge, fresh)
    app, seen = App(), Seen("orders")
    app.sns(topic_arn)(seen)

    async with at_work(app, server, tmp_path) as running:
        during = await judge.subscriptions(topic_arn), len(await judge.own_queues(fresh))
        for number in range(25):
            await judge.ask("sns", "publish", TopicArn=topic_arn, Message=f"{number:02}")
        await running.until_idle()

    assert during == (["sqs"], 2)
    assert seen.messages == [f"{number:02}" for number in range(25)]
    assert {len(event["Records"]) for event in seen.events} == {1}
    assert (await judge.subscriptions(topic_arn), await judge.own_queues(fresh)) == ([], [])


async def test_sns_75_76_one_topic_fans_out_to_three_functions_by_their_policies(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """SNS-75, 76: each function has a subscription of its own, over whichever way, with a policy of its own."""
    topic_arn = await make_topic(judge, fresh)
    app, every, large, french = App(), Seen("every"), Seen("large"), Seen("french")
    app.sns(fresh)(every)
    app.sns(fresh, filter_policy={"total": [{"numeric": [">=", 100]}]}, filter_policy_scope="MessageBody")(large)
    app.sns(fresh, filter_policy={"country": ["fr"]})(french)

    async with at_work(app, server, tmp_path, http=HttpSettings()) as running:
        for total, country in ((5, "de"), (200, "fr"), (100, "de")):
            country_attribute = {"country": {"DataType": "String", "StringValue": country}}
            await judge.ask(
                "sns",
                "publish",
                TopicArn=topic_arn,
                Message=json.dumps({"total": total}),
                MessageAttributes=country_attribute,
            )
        await every.count(3)
        await large.count(2)
        await french.count(1)
        await running.until_idle()

    assert every.messages == ['{"total": 100}', '{"total": 200}', '{"total": 5}']
    assert large.messages == ['{"total": 100}', '{"total": 200}']
    assert french.messages == ['{"total": 200}']


async def test_src_20_22_26_29_a_bucket_tells_of_the_keys_asked_for_and_is_left_as_it_was(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """SRC-20, 22, 26, 29: prefix and suffix hold, the test message is nobody's, somebody else's entry stays."""
    await judge.ask("s3", "create_bucket", Bucket=fresh)
    other = (await judge.ask("sqs", "create_queue", QueueName=f"{fresh}-other"))["QueueUrl"]
    attributes = await judge.ask("sqs", "get_queue_attributes", QueueUrl=other, AttributeNames=["QueueArn"])
    theirs = {"Id": "theirs", "QueueArn": attributes["Attributes"]["QueueArn"], "Events": ["s3:ObjectRemoved:*"]}
    await judge.ask(
        "s3",
        "put_bucket_notification_configuration",
        Bucket=fresh,
        NotificationConfiguration={"QueueConfigurations": [theirs]},
    )
    app, seen = App(), Seen("thumbnail")
    app.s3(fresh, prefix="in/", suffix=".png")(seen)

    async with at_work(app, server, tmp_path) as running:
        during = len(await judge.own_queues(fresh))
        for key in ("in/a b+ü.png", "out/a.png", "in/a.txt", "in/a b+ü.png"):
            await judge.ask("s3", "put_object", Bucket=fresh, Key=key, Body=b"x")
        await seen.count(2)  # the same content under the same key is another change
        await running.until_idle()

    assert during == 2
    for record in [record for event in seen.events for record in event["Records"]]:
        assert (record["eventSource"], record["s3"]["bucket"]["name"]) == ("aws:s3", fresh)
    left = await judge.ask("s3", "get_bucket_notification_configuration", Bucket=fresh)
    assert [entry["Id"] for entry in left["QueueConfigurations"]] == ["theirs"]
    assert await judge.own_queues(fresh) == []


async def test_src_26_31_a_buckets_changes_come_to_a_bus_and_are_no_longer_told_after_the_run(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """SRC-26, 31: to every rule of the bus, and nothing is left behind at the server."""
    await judge.ask("s3", "create_bucket", Bucket=fresh)
    app, created, deleted = App(), Seen("created"), Seen("deleted")
    app.event({"source": ["aws.s3"], "detail-type": ["Object Created"]}, buckets=[fresh])(created)
    app.event({"source": ["aws.s3"], "detail-type": ["Object Deleted"]})(deleted)

    files = {name: tmp_path / f"{name}.sqlite" for name in ("buses", "schedules")}
    async with at_work(app, server, tmp_path, **files) as running:
        during = len(await judge.own_queues(fresh))
        await judge.ask("s3", "put_object", Bucket=fresh, Key="in/a.png", Body=b"1234567")
        await judge.ask("s3", "delete_object", Bucket=fresh, Key="in/a.png")
        await created.count(1)
        await deleted.count(1)
        await running.until_idle()

    [event], [gone] = created.events, deleted.events
    assert during == 2
    assert event["resources"] == [f"arn:aws:s3:::{fresh}"]
    assert (event["detail"]["bucket"], event["detail"]["reason"]) == ({"name": fresh}, "PutObject")
    assert (event["detail"]["object"]["key"], event["detail"]["object"]["size"]) == ("in/a.png", 7)
    assert (gone["detail"]["object"]["key"], gone["detail"]["reason"]) == ("in/a.png", "DeleteObject")
    left = await judge.ask("s3", "get_bucket_notification_configuration", Bucket=fresh)
    assert left.get("QueueConfigurations", []) == []
    assert await judge.own_queues(fresh) == []


async def test_sns_10_what_came_after_a_crash_is_delivered_by_the_next_run(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """A run that dies leaves its subscription and queue: the next one finds them, and what they hold."""
    topic_arn = await make_topic(judge, fresh)
    app, seen = App(), Seen("orders")
    app.sns(fresh)(seen)
    async with at_work(app, server, tmp_path, keep_subscriptions=True):
        pass  # as a crash leaves it

    await judge.ask("sns", "publish", TopicArn=topic_arn, Message="meanwhile")
    async with at_work(app, server, tmp_path) as running:
        await seen.count(1)
        await running.until_idle()

    assert seen.messages == ["meanwhile"]
    assert (await judge.subscriptions(topic_arn), await judge.own_queues(fresh)) == ([], [])


async def test_inv_48_55_56_65_ends_are_told_to_queue_topic_and_dead_letter_queue(
    server: Server, judge: Judge, fresh: str, tmp_path: Path
) -> None:
    """INV-48, 55, 56, 65: one success and one failure, invoked by plain boto3, end where the function says."""
    arns = {}
    for name in ("ok", "failed", "dead"):
        url = (await judge.ask("sqs", "create_queue", QueueName=f"{fresh}-{name}"))["QueueUrl"]
        answer = await judge.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
        arns[name] = (url, answer["Attributes"]["QueueArn"])
    app = App()

    @app.function(
        maximum_retry_attempts=0,
        destination_config={
            "OnSuccess": {"Destination": arns["ok"][1]},
            "OnFailure": {"Destination": arns["failed"][1]},
        },
        dead_letter_config={"TargetArn": arns["dead"][1]},
    )
    async def work(event: Any, context: Any) -> Any:
        if event["fail"]:
            raise ValueError("no")
        return {"id": context.aws_request_id}

    async with at_work(app, server, tmp_path, http=HttpSettings()) as running:
        assert running.url is not None
        caller = Judge(Server("eventmap", running.url, server.account_id, server.region, 0, 0))
        for fail in (True, False):
            payload = json.dumps({"fail": fail})
            answer = await caller.ask("lambda", "invoke", FunctionName="work", InvocationType="Event", Payload=payload)
            assert answer["StatusCode"] == 202
        await running.until_idle()

    found = {}
    for name, (url, _) in arns.items():
        answer = await judge.ask(
            "sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found[name] = answer.get("Messages", [])
    assert Counter({name: len(messages) for name, messages in found.items()}) == {"ok": 1, "failed": 1, "dead": 1}
    succeeded, failed = json.loads(found["ok"][0]["Body"]), json.loads(found["failed"][0]["Body"])
    assert succeeded["requestContext"]["condition"] == "Success"
    assert succeeded["responsePayload"]["id"] == succeeded["requestContext"]["requestId"]
    assert failed["requestContext"]["condition"] == "RetriesExhausted"
    assert failed["responsePayload"]["errorType"] == "ValueError"
    assert found["dead"][0]["Body"] == '{"fail": true}'
    assert found["dead"][0]["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"
