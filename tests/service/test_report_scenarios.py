"""What is given up is reported to a queue, a topic or a bucket of a server, and read there by plain boto3."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.delivery.stream.scene import Handler, fail, fail_for, statistics

from .stream_places import OnAServer, at_work, deadline, keyed

Judge = Callable[..., None]

ONCE: dict[str, Any] = {"maximum_retry_attempts": 0}


def to(arn: str) -> dict[str, Any]:
    return {"destination_config": {"OnFailure": {"Destination": arn}}}


async def make_queue(place: OnAServer, name: str) -> tuple[str, str]:
    """(URL, ARN)"""
    url = (await place.ask("sqs", "create_queue", QueueName=name))["QueueUrl"]
    answer = await place.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])
    return url, answer["Attributes"]["QueueArn"]


async def bodies(place: OnAServer, url: str, count: int) -> list[str]:
    """What the queue holds, waiting until there are `count` or nothing more comes."""
    found: list[str] = []
    while len(found) < count:
        answer = await place.ask("sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        if not answer.get("Messages"):
            break
        found += [message["Body"] for message in answer["Messages"]]
    return found


async def test_str_41_50_56_90_the_poison_is_found_by_bisecting_and_reported_to_a_queue(
    whole_place: OnAServer, fresh: str, stream_judge: Judge
) -> None:
    """STR-41, 50, 56, 90..96: one record is given up, alone; its report says where it lies, which boto3 then reads."""
    await whole_place.create_stream(fresh)
    await whole_place.put(fresh, *keyed("a", 8))
    url, arn = await make_queue(whole_place, fresh)
    handler = Handler(then=fail_for("a5"))

    async with (
        deadline(),
        at_work(whole_place, fresh, handler, bisect_batch_on_function_error=True, **ONCE, **to(arn)) as running,
    ):
        await running.until_caught_up()
        counted, [described] = statistics(running), running.streams()
        [work] = running.configurations()

    [report] = [json.loads(body) for body in await bodies(whole_place, url, 1)]
    info = report["KinesisBatchInfo"]
    [first] = [each for each in handler.invocations if each.texts == ["a5"]]
    assert report["requestContext"] == {
        "requestId": first.request_id,
        "functionArn": work["FunctionArn"],
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    }
    assert report["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert (info["batchSize"], info["streamArn"], report["version"]) == (1, described.arn, "1.0")
    iterator = await whole_place.ask(
        "kinesis",
        "get_shard_iterator",
        StreamName=fresh,
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=info["startSequenceNumber"],
    )
    again = await whole_place.ask("kinesis", "get_records", ShardIterator=iterator["ShardIterator"], Limit=1)
    stream_judge(
        whole_place,
        aws=([b"a5"], 1, 1, 7),
        observed=(
            [each["Data"] for each in again["Records"]],
            counted.discarded,
            counted.reports_sent,
            len(set(handler.texts)) - 1,
        ),
    )


async def test_str_90_a_tables_report_has_the_tables_words(
    whole_place: OnAServer, fresh: str, stream_judge: Judge
) -> None:
    """STR-90: DDBStreamBatchInfo, seconds for arrival times."""
    await whole_place.create_table(fresh)
    for number in range(3):
        await whole_place.write(fresh, "a", f"a{number}")
    url, arn = await make_queue(whole_place, fresh)
    handler = Handler(then=fail)

    async with deadline(), at_work(whole_place, fresh, handler, kind="dynamodb", **ONCE, **to(arn)) as running:
        await running.until_caught_up()

    [report] = [json.loads(body) for body in await bodies(whole_place, url, 1)]
    info = report["DDBStreamBatchInfo"]
    sequences = [record["dynamodb"]["SequenceNumber"] for record in handler.invocations[0].records]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (sequences[0], sequences[-1])
    assert len(info["approximateArrivalOfFirstRecord"]) == len("2019-11-14T00:13:19Z")
    stream_judge(whole_place, aws=(1, 3), observed=(len(handler.invocations), info["batchSize"]))


async def test_str_97_98_a_bucket_gets_the_event_itself(
    whole_place: OnAServer, fresh: str, stream_judge: Judge
) -> None:
    """STR-97, 98: under a key by mapping, shard and time; the payload is the text of the event the function had."""
    await whole_place.create_stream(fresh)
    await whole_place.put(fresh, *keyed("a", 3))
    await whole_place.ask("s3", "create_bucket", Bucket=fresh)
    handler = Handler(then=fail)

    async with deadline(), at_work(whole_place, fresh, handler, **ONCE, **to(f"arn:aws:s3:::{fresh}")) as running:
        await running.until_caught_up()
        [work] = running.configurations()

    [entry] = (await whole_place.ask("s3", "list_objects_v2", Bucket=fresh))["Contents"]
    stored = await whole_place.ask("s3", "get_object", Bucket=fresh, Key=entry["Key"])
    document = json.loads(stored["Body"].read())
    shard_id = document["KinesisBatchInfo"]["shardId"]
    assert entry["Key"].startswith(f"aws/lambda/{work['UUID']}/{shard_id}/")
    assert stored["ContentType"] == "application/octet-stream"
    stream_judge(whole_place, aws=handler.invocations[0].event, observed=json.loads(document["payload"]))


async def test_str_96_a_topic_passes_the_report_on(whole_place: OnAServer, fresh: str, stream_judge: Judge) -> None:
    """STR-96: a queue that is subscribed finds it as the message of a notification."""
    await whole_place.create_stream(fresh)
    await whole_place.put(fresh, *keyed("a", 2))
    topic = (await whole_place.ask("sns", "create_topic", Name=fresh))["TopicArn"]
    url, arn = await make_queue(whole_place, fresh)
    await whole_place.ask("sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    handler = Handler(then=fail)

    async with deadline(), at_work(whole_place, fresh, handler, **ONCE, **to(topic)) as running:
        await running.until_caught_up()

    [notification] = [json.loads(body) for body in await bodies(whole_place, url, 1)]
    report = json.loads(notification["Message"])
    stream_judge(
        whole_place,
        aws=("RetryAttemptsExhausted", 2),
        observed=(report["requestContext"]["condition"], report["KinesisBatchInfo"]["batchSize"]),
    )
