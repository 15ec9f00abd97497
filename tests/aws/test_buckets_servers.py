"""Buckets on servers nobody of us wrote: told to notify a queue of ours, put into and looked at by plain boto3."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread
import pytest
from botocore.exceptions import ClientError

from eventmap.aws.buckets import BucketCalls, open_buckets
from eventmap.aws.own_queue import OwnQueue, create_own_queue
from eventmap.errors import AccessRefused, BucketNotFound, ConfigurationError, SourceError
from eventmap.rules.s3_event import decoded_key, events_of, identity, is_later, matches
from eventmap.subscription import S3Notification
from tests.servers.process import Server

from .hostile import Answer, HostileServer, hostile_server, http, settings_for, wire_to

_NO_NOTIFICATIONS: Final = "a configuration is taken with thanks and forgotten: its S3 notifies nobody"
DEVIATIONS: Final[dict[tuple[str, str], tuple[object, str]]] = {
    ("ministack", "key"): ("in/a b ü.png", "keys are not encoded, so that a + in one is taken for a blank"),
    ("moto", "sequencers"): ("none", "there is no sequencer; times tell changes apart"),
    ("ministack", "sequencers"): ("all the same", "the sequencer is always 0; times and requests tell changes apart"),
    ("moto", "deletion"): ({"key", "size", "eTag"}, "a deletion tells of what was deleted"),
    ("ministack", "deletion"): ({"key", "size", "eTag", "sequencer"}, "a deletion has a size and an empty tag"),
    ("moto", "event_bridge"): (False, "the switch is taken and not shown, so that nobody can put it back"),
    ("fauxqs", "event_bridge"): (False, _NO_NOTIFICATIONS),
    ("moto", "server_overlap"): ("taken", "overlaps are not looked for"),
    ("ministack", "server_overlap"): ("taken", "overlaps are not looked for"),
    ("fauxqs", "server_overlap"): ("taken", _NO_NOTIFICATIONS),
    ("moto", "unreachable"): ("taken", "destinations are not looked for"),
    ("ministack", "unreachable"): ("taken", "only destinations that may not be sent to are refused"),
    ("fauxqs", "unreachable"): ("taken", _NO_NOTIFICATIONS),
    ("fauxqs", "tells"): ([], _NO_NOTIFICATIONS),
    ("fauxqs", "kept"): ([], _NO_NOTIFICATIONS),
    ("fauxqs", "replaced"): ([], _NO_NOTIFICATIONS),
    ("fauxqs", "overlap"): ("taken", _NO_NOTIFICATIONS),
}
"""(server, case) → what it does instead, and why. An entry that stops being true fails its test."""


def compare(server: Server, case: str, *, aws: object, observed: object) -> None:
    """Hold what was observed to AWS' behaviour, or to the server's named deviation."""
    expected, reason = DEVIATIONS.get((server.name, case), (aws, "as AWS"))
    assert observed == expected, f"{server.name}: {reason}"


class Judge:
    """Plain boto3 at one server, asked from the loop."""

    def __init__(self, server: Server) -> None:
        self._clients = {service: server.client(service) for service in ("s3", "sqs")}

    async def ask(self, service: str, call: str, **parameters: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: getattr(self._clients[service], call)(**parameters))

    async def configuration(self, bucket: str) -> dict[str, Any]:
        answer = await self.ask("s3", "get_bucket_notification_configuration", Bucket=bucket)
        return {kind: value for kind, value in answer.items() if kind.endswith("Configurations")}

    async def told(self, queue: OwnQueue, count: int) -> list[dict[str, Any]]:
        """The next `count` records; test events are passed over."""
        found: list[dict[str, Any]] = []
        with anyio.fail_after(20):
            while len(found) < count:
                answer = await self.ask("sqs", "receive_message", QueueUrl=queue.url, WaitTimeSeconds=1)
                for message in answer.get("Messages", ()):
                    found += [dict(record) for record in events_of(message["Body"])]
        return found

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture
def judge(topic_server: Server) -> Iterator[Judge]:
    opened = Judge(topic_server)
    yield opened
    opened.close()


@pytest.fixture
async def bucket(judge: Judge, name: str) -> str:
    await judge.ask("s3", "create_bucket", Bucket=name)
    return name


async def own_queue(server: Server, bucket: str, name: str) -> OwnQueue:
    async with wire_to(server.endpoint_url) as wire:
        return await create_own_queue(wire, name, service="s3.amazonaws.com", source_arn=f"arn:aws:s3:::{bucket}")


@pytest.fixture
async def queue(topic_server: Server, bucket: str) -> OwnQueue:
    return await own_queue(topic_server, bucket, f"{bucket}-own")


def asking(bucket: str, *events: str, prefix: str = "", suffix: str = "") -> S3Notification:
    return S3Notification(
        bucket=bucket, function_name="f", events=events or ("s3:ObjectCreated:*",), prefix=prefix, suffix=suffix
    )


async def outcome(call: Any) -> str:
    """ "taken", or the code of the refusal."""
    try:
        await call
    except ConfigurationError:
        return "overlap"
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "taken"


async def test_src_20_to_30_what_is_put_arrives_in_the_queue_and_is_read(
    topic_server: Server, judge: Judge, bucket: str, queue: OwnQueue
) -> None:
    """SRC-20..24, 26, 29, 30: the test event is passed over; keys, prefix and suffix hold; two changes are two."""
    mine = asking(bucket, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", prefix="in/", suffix=".png")
    async with open_buckets(settings_for(topic_server.endpoint_url)) as buckets:
        await buckets.find_bucket(bucket)
        await buckets.add_notification(mine, "mine", queue.arn)
    tells = identifiers(await judge.configuration(bucket))
    compare(topic_server, "tells", aws=["mine"], observed=tells)
    if not tells:
        return
    for key in ("out/a.png", "in/a.txt", "in/a b+ü.png", "in/a b+ü.png"):
        await judge.ask("s3", "put_object", Bucket=bucket, Key=key, Body=b"x")
    await judge.ask("s3", "delete_object", Bucket=bucket, Key="in/a b+ü.png")

    records = sorted(await judge.told(queue, 3), key=lambda record: str(record["eventTime"]))

    assert [record["eventName"] for record in records] == ["ObjectCreated:Put"] * 2 + ["ObjectRemoved:Delete"]
    assert all(matches(record, mine) for record in records)
    assert len({identity(record) for record in records}) == 3
    entities = [record["s3"]["object"] for record in records]
    compare(topic_server, "key", aws="in/a b+ü.png", observed=decoded_key(entities[0]["key"]))
    compare(topic_server, "deletion", aws={"key", "sequencer"}, observed=set(entities[2]))
    compare(topic_server, "sequencers", aws="later and later", observed=sequence([*entities]))


def sequence(entities: list[dict[str, Any]]) -> str:
    sequencers = [entity.get("sequencer", "") for entity in entities]
    if not any(sequencers):
        return "none"
    if all(is_later(later, sooner) for sooner, later in itertools.pairwise(sequencers)):
        return "later and later"
    return "all the same" if len(set(sequencers)) == 1 else "mixed up"


async def test_src_26_others_entries_stay_and_ours_is_replaced_and_removed(
    topic_server: Server, judge: Judge, bucket: str, queue: OwnQueue
) -> None:
    """SRC-26: whatever they tell of, and to whom; ours is known by its identifier."""
    theirs = {
        "QueueConfigurations": [
            {
                "Id": "theirs",
                "QueueArn": queue.arn,
                "Events": ["s3:ObjectRemoved:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".txt"}]}},
            }
        ],
        "EventBridgeConfiguration": {},
    }
    await judge.ask("s3", "put_bucket_notification_configuration", Bucket=bucket, NotificationConfiguration=theirs)
    before = await judge.configuration(bucket)

    async with open_buckets(settings_for(topic_server.endpoint_url)) as buckets:
        await buckets.add_notification(asking(bucket, prefix="in/", suffix=".png"), "mine", queue.arn)
        added = await judge.configuration(bucket)
        await buckets.add_notification(asking(bucket, prefix="in/deep/"), "mine", queue.arn)
        replaced = await judge.configuration(bucket)
        for _ in range(2):
            await buckets.remove_notification(bucket, "mine")
    after = await judge.ask("s3", "get_bucket_notification_configuration", Bucket=bucket)

    compare(topic_server, "kept", aws=["theirs", "mine"], observed=identifiers(added))
    compare(topic_server, "replaced", aws=["theirs", "mine"], observed=identifiers(replaced))
    if identifiers(replaced):
        [_, mine] = replaced["QueueConfigurations"]
        rules = [(rule["Name"].lower(), rule["Value"]) for rule in mine["Filter"]["Key"]["FilterRules"]]
        assert (mine["QueueArn"], mine["Events"], rules) == (
            queue.arn,
            ["s3:ObjectCreated:*"],
            [("prefix", "in/deep/")],
        )
    assert await judge.configuration(bucket) == before
    compare(topic_server, "event_bridge", aws=True, observed="EventBridgeConfiguration" in after)


def identifiers(configuration: dict[str, Any]) -> list[str]:
    return [entry["Id"] for entry in configuration.get("QueueConfigurations", ())]


async def test_src_26_27_what_overlaps_with_somebody_elses_entry_is_refused_in_words(
    topic_server: Server, judge: Judge, bucket: str, queue: OwnQueue
) -> None:
    """SRC-26, 27: by us, before anything is changed, and on AWS by S3, which also looks for the queue."""
    theirs = {"Id": "theirs", "QueueArn": queue.arn, "Events": ["s3:ObjectCreated:Put"]}

    async def put(*entries: dict[str, Any]) -> str:
        wanted = {"QueueConfigurations": list(entries)}
        return await outcome(
            judge.ask("s3", "put_bucket_notification_configuration", Bucket=bucket, NotificationConfiguration=wanted)
        )

    gone = {**theirs, "QueueArn": f"{queue.arn}-gone"}
    compare(topic_server, "unreachable", aws="InvalidArgument", observed=await put(gone))
    compare(topic_server, "server_overlap", aws="InvalidArgument", observed=await put(theirs, {**theirs, "Id": "b"}))
    await put(theirs)
    before = await judge.configuration(bucket)

    async with open_buckets(settings_for(topic_server.endpoint_url)) as buckets:
        observed = await outcome(buckets.add_notification(asking(bucket, prefix="in/"), "mine", queue.arn))
        if topic_server.name != "fauxqs":
            with pytest.raises(ConfigurationError, match=r"'theirs'.*\(SRC-26\)"):
                await buckets.add_notification(asking(bucket), "mine", queue.arn)

    compare(topic_server, "overlap", aws="overlap", observed=observed)
    assert await judge.configuration(bucket) == before


async def test_a_bucket_that_is_not_there_says_so(topic_server: Server, name: str) -> None:
    """From every call but the one that takes back."""
    async with open_buckets(settings_for(topic_server.endpoint_url)) as buckets:
        for call in (
            buckets.find_bucket(name),
            buckets.add_notification(asking(name), "mine", "arn:aws:sqs:us-east-1:123456789012:own"),
        ):
            with pytest.raises(BucketNotFound, match=f'bucket "{name}" does not exist') as missing:
                await call
            assert missing.value.bucket == name
        await buckets.remove_notification(name, "mine")


# What only AWS says, in its own bytes. ------------------------------------------------------------------------------

_XML: Final = "Content-Type: application/xml"
_NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_EMPTY: Final = http(200, f"<NotificationConfiguration {_NAMESPACE}/>".encode(), _XML)
_DONE: Final = http(200, b"")


def refused(status: int, code: str, message: str) -> Answer:
    return http(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), _XML)


@asynccontextmanager
async def answered(*answers: Answer) -> AsyncIterator[tuple[HostileServer, BucketCalls]]:
    """A server that answers so, and our calls to it."""
    async with hostile_server(*answers) as server, open_buckets(settings_for(server.endpoint_url)) as buckets:
        yield server, buckets


async def test_src_27_a_queue_that_s3_cannot_reach_yet_is_waited_for() -> None:
    """SRC-27: SQS takes a while to know a new policy everywhere; another refusal is final."""
    not_yet = refused(400, "InvalidArgument", "Unable to validate the following destination configurations")
    async with answered(_EMPTY, not_yet, _DONE) as (server, buckets):
        await buckets.add_notification(asking("photos"), "mine", "arn:aws:sqs:us-east-1:123456789012:own")

    assert [line.partition(" ")[0] for line in server.lines] == ["GET", "PUT", "PUT"]

    async with answered(_EMPTY, refused(400, "InvalidArgument", "A specified event is not supported")) as (
        server,
        buckets,
    ):
        with pytest.raises(SourceError, match="not supported"):
            await buckets.add_notification(asking("photos"), "mine", "arn:aws:sqs:us-east-1:123456789012:own")
    assert len(server.lines) == 2


async def test_src_26_27_every_kind_of_entry_is_written_back_as_it_was_read() -> None:
    """SRC-26, 27: topics, functions and the switch of EventBridge; names of filters in either case; none is tried."""
    theirs = (
        "<TopicConfiguration><Id>t</Id><Topic>arn:aws:sns:us-east-1:123456789012:t</Topic>"
        "<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>Prefix</Name><Value>in/</Value></FilterRule>"
        "<FilterRule><Name>Suffix</Name><Value>.png</Value></FilterRule></S3Key></Filter></TopicConfiguration>"
        "<CloudFunctionConfiguration><Id>f</Id><CloudFunction>arn:aws:lambda:us-east-1:123456789012:function:f"
        "</CloudFunction><Event>s3:ObjectRemoved:*</Event></CloudFunctionConfiguration>"
    )
    mine = (
        "<QueueConfiguration><Id>mine</Id><Queue>arn:aws:sqs:us-east-1:123456789012:own</Queue>"
        "<Event>s3:ObjectTagging:*</Event></QueueConfiguration>"
    )
    switch = "<EventBridgeConfiguration/>"
    found = f"<NotificationConfiguration {_NAMESPACE}>{theirs}{mine}{switch}</NotificationConfiguration>"

    async with answered(http(200, found.encode(), _XML), _DONE) as (server, buckets):
        await buckets.remove_notification("photos", "mine")

    headers, written = server.requests[1]
    text = written.decode().replace(" />", "/>")
    assert theirs.partition("<CloudFunctionConfiguration>")[0] in text
    assert theirs.partition("</TopicConfiguration>")[2] in text
    assert switch in text and "mine" not in text
    assert headers["x-amz-skip-destination-validation"].lower() == "true"  # older botocore writes True

    async with answered(http(200, found.encode(), _XML)) as (server, buckets):
        for overlapping in (
            asking("photos", "s3:ObjectCreated:Copy", prefix="in/deep/", suffix="b.png"),
            asking("photos", "s3:ObjectRemoved:Delete"),
        ):
            with pytest.raises(ConfigurationError, match="SRC-26"):
                await buckets.add_notification(overlapping, "new", "arn:aws:sqs:us-east-1:123456789012:own")
    assert len(server.requests) == 2  # nothing was written


async def test_what_may_not_be_asked_names_the_permissions() -> None:
    """The ones that a notification needs."""
    async with answered(refused(403, "AccessDenied", "Access Denied")) as (_, buckets):
        with pytest.raises(AccessRefused, match="s3:GetBucketNotification and s3:PutBucketNotification"):
            await buckets.add_notification(asking("photos"), "mine", "arn:aws:sqs:us-east-1:123456789012:own")
