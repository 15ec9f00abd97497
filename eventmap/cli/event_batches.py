"""`eventmap event KIND`: the events of polled sources, a batch of records each."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final

import typer

from eventmap.cli.event_options import SAMPLE_BODY, Attributes, Body, Count, Headers
from eventmap.cli.given import object_given, pairs_given, text_given
from eventmap.model import JsonObject
from eventmap.testing.origin import Origin

_Queue = Annotated[str, typer.Option("--queue", metavar="NAME", help="The queue's name.")]
_Topic = Annotated[str, typer.Option("--topic", metavar="NAME", help="The topic's name.")]
_Partition = Annotated[int, typer.Option("--partition", metavar="N", min=0, help="The partition.")]
_Offset = Annotated[int, typer.Option("--offset", metavar="N", min=0, help="Of the first record.")]
_Key = Annotated[str | None, typer.Option("--key", metavar="TEXT", help="The records' key.")]
_Redelivered = Annotated[bool, typer.Option("--redelivered", help="They were delivered before.")]


class Operation(StrEnum):
    """What was done to a document."""

    INSERT = "insert"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class View(StrEnum):
    """What a table's stream shows of a change."""

    KEYS_ONLY = "KEYS_ONLY"
    NEW_IMAGE = "NEW_IMAGE"
    OLD_IMAGE = "OLD_IMAGE"
    NEW_AND_OLD_IMAGES = "NEW_AND_OLD_IMAGES"


def sqs(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    queue: _Queue = "orders",
    attribute: Attributes = None,
    group: Annotated[str | None, typer.Option("--group", metavar="ID", help="The message group.")] = None,
    receive_count: Annotated[int, typer.Option("--receive-count", metavar="N", min=1, help="This receive is it.")] = 1,
    origin: Origin,
) -> JsonObject:
    """Messages of an SQS queue; a name that ends in .fifo makes it a FIFO queue.

    \b
    eventmap event sqs --body '{"id": 7}' | eventmap invoke app:handler -
    eventmap event sqs --queue orders.fifo --group customer-1 --count 3
    """
    from eventmap.testing.events import queues

    return queues.sqs(
        *[text_given(body, "--body")] * count,
        queue=queue,
        attributes=pairs_given(attribute or (), "--attribute"),
        group=group,
        receive_count=receive_count,
        origin=origin,
    )


def kinesis(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    stream: Annotated[str, typer.Option("--stream", metavar="NAME", help="The stream's name.")] = "clicks",
    partition_key: Annotated[str, typer.Option("--partition-key", metavar="TEXT", help="Of every record.")] = "1",
    origin: Origin,
) -> JsonObject:
    """Records of a Kinesis stream.

    \b
    eventmap event kinesis --body @click.json --count 10 --partition-key customer-1
    """
    from eventmap.testing.events import streams

    data = [text_given(body, "--body")] * count
    return streams.kinesis(*data, stream=stream, partition_key=partition_key, origin=origin)


def dynamodb(
    *,
    new: Annotated[str | None, typer.Option("--new", metavar="JSON|@FILE|-", help="The item afterwards.")] = None,
    old: Annotated[str | None, typer.Option("--old", metavar="JSON|@FILE|-", help="The item before.")] = None,
    count: Count = 1,
    table: Annotated[str, typer.Option("--table", metavar="NAME", help="The table's name.")] = "orders",
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="NAME", help="An attribute of the table's key; repeatable; id.")
    ] = None,
    view_type: Annotated[View, typer.Option("--view-type", help="What the stream shows.")] = View.NEW_AND_OLD_IMAGES,
    origin: Origin,
) -> JsonObject:
    """Changes to items of a DynamoDB table: --new alone is an insertion, --old alone a deletion, both a modification.

    \b
    eventmap event dynamodb --new '{"id": 7, "paid": true}' --old '{"id": 7, "paid": false}'
    """
    from eventmap.testing.events import streams

    if new is None and old is None:
        new = SAMPLE_BODY
    after, before = (
        None if given is None else object_given(given, name, exact=True)
        for given, name in ((new, "--new"), (old, "--old"))
    )
    change = streams.Change(new=after, old=before)
    return streams.dynamodb(
        *[change] * count, table=table, keys=key or ("id",), view_type=view_type.value, origin=origin
    )


def kafka(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    topic: _Topic = "orders",
    partition: _Partition = 0,
    key: _Key = None,
    header: Headers = None,
    offset: _Offset = 0,
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="The cluster's name.")] = "demo",
    origin: Origin,
) -> JsonObject:
    """Records of one partition of Amazon MSK. Its brokers are not polled here.

    \b
    eventmap event kafka --topic orders --key customer-1 --body '{"id": 7}'
    """
    from eventmap.testing.events import brokers

    return brokers.kafka(
        *[text_given(body, "--body")] * count,
        topic=topic,
        partition=partition,
        key=key,
        headers=pairs_given(header or (), "--header"),
        offset=offset,
        cluster=cluster,
        origin=origin,
    )


def self_managed_kafka(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    topic: _Topic = "orders",
    partition: _Partition = 0,
    key: _Key = None,
    header: Headers = None,
    offset: _Offset = 0,
    bootstrap_servers: Annotated[
        str, typer.Option("--bootstrap-servers", metavar="HOST:PORT,…", help="The brokers.")
    ] = "kafka.example.com:9092",
    origin: Origin,
) -> JsonObject:
    """Records of one partition of a Kafka cluster of your own. Its brokers are not polled here.

    \b
    eventmap event self-managed-kafka --topic orders --count 3
    """
    from eventmap.testing.events import brokers

    return brokers.self_managed_kafka(
        *[text_given(body, "--body")] * count,
        topic=topic,
        partition=partition,
        key=key,
        headers=pairs_given(header or (), "--header"),
        offset=offset,
        bootstrap_servers=bootstrap_servers,
        origin=origin,
    )


def active_mq(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    queue: _Queue = "orders",
    attribute: Attributes = None,
    redelivered: _Redelivered = False,
    origin: Origin,
) -> JsonObject:
    """Messages of a queue of Amazon MQ for ActiveMQ. Its brokers are not polled here.

    \b
    eventmap event active-mq --body hello --attribute kind=greeting
    """
    from eventmap.testing.events import brokers

    return brokers.active_mq(
        *[text_given(body, "--body")] * count,
        queue=queue,
        properties=pairs_given(attribute or (), "--attribute"),
        redelivered=redelivered,
        origin=origin,
    )


def rabbit_mq(
    *,
    body: Body = SAMPLE_BODY,
    count: Count = 1,
    queue: _Queue = "orders",
    virtual_host: Annotated[str, typer.Option("--virtual-host", metavar="NAME", help="The queue's.")] = "/",
    header: Headers = None,
    redelivered: _Redelivered = False,
    origin: Origin,
) -> JsonObject:
    """Messages of a queue of Amazon MQ for RabbitMQ. Its brokers are not polled here.

    \b
    eventmap event rabbit-mq --body hello --header kind=greeting
    """
    from eventmap.testing.events import brokers

    return brokers.rabbit_mq(
        *[text_given(body, "--body")] * count,
        queue=queue,
        virtual_host=virtual_host,
        headers=pairs_given(header or (), "--header"),
        redelivered=redelivered,
        origin=origin,
    )


def documentdb(
    *,
    document: Annotated[
        str, typer.Option("--document", metavar="JSON|@FILE|-", help="The document afterwards.")
    ] = SAMPLE_BODY,
    count: Count = 1,
    operation: Annotated[Operation, typer.Option("--operation", help="What was done.")] = Operation.INSERT,
    database: Annotated[str, typer.Option("--database", metavar="NAME", help="The database.")] = "shop",
    collection: Annotated[str, typer.Option("--collection", metavar="NAME", help="The collection.")] = "orders",
    origin: Origin,
) -> JsonObject:
    """Changes to documents of Amazon DocumentDB. Its change streams are not polled here.

    \b
    eventmap event documentdb --document '{"_id": {"$oid": "63eeb6e7d418cd98afb1c1d7"}}' --operation delete
    """
    from eventmap.testing.events import change_streams

    return change_streams.documentdb(
        *[object_given(document, "--document")] * count,
        database=database,
        collection=collection,
        operation=operation.value,
        origin=origin,
    )


BATCHES: Final[tuple[tuple[Callable[..., JsonObject], str], ...]] = (
    (sqs, "Messages of an SQS queue."),
    (kinesis, "Records of a Kinesis stream."),
    (dynamodb, "Changes to a DynamoDB table."),
    (kafka, "Records of Amazon MSK."),
    (self_managed_kafka, "Records of a Kafka cluster of your own."),
    (active_mq, "Messages of Amazon MQ for ActiveMQ."),
    (rabbit_mq, "Messages of Amazon MQ for RabbitMQ."),
    (documentdb, "Changes to Amazon DocumentDB."),
)
