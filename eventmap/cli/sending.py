"""`--send`: the lines of a file as what the one mapped source takes: messages, records, items or objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from eventmap.aws.arn import parse_queue
from eventmap.aws.objects import open_objects
from eventmap.aws.session import open_dynamodb, open_kinesis, open_sqs
from eventmap.aws.sns import open_topics
from eventmap.cli.failure import Misuse
from eventmap.cli.lines import check_lines, parsed, shown_file
from eventmap.cli.mappings import Filled, region_of_topic, source_name
from eventmap.cli.place import Place
from eventmap.errors import InvalidParameterValue
from eventmap.local.items import Item, TableKey, key_of, parse_item
from eventmap.local.object_lines import ObjectEntry, parse_object_line
from eventmap.local.push_seeding import publish_messages, put_objects
from eventmap.local.seeding import send_lines
from eventmap.local.stream_lines import StreamEntry, parse_stream_line
from eventmap.local.stream_seeding import put_items, put_records
from eventmap.local.topic_lines import TopicEntry, parse_topic_line
from eventmap.mapping import EventSourceMapping
from eventmap.stream_mapping import StreamMapping
from eventmap.subscription import S3Notification, SnsSubscription


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is to be sent, already checked; one of the five is filled, according to the source."""

    lines: Sequence[bytes] = ()
    records: Sequence[StreamEntry] = ()
    items: Sequence[Item] = ()
    messages: Sequence[TopicEntry] = ()
    objects: Sequence[ObjectEntry] = ()
    key: TableKey = field(default_factory=TableKey)  #: that a table for the items needs


def packed(lines: list[bytes], file: str, source: Filled) -> Shipment:
    """Read the lines for that source. Raises: Misuse naming the file and the line that is not right."""
    match source:
        case EventSourceMapping():
            check_lines(lines, file, fifo=source_name(source).endswith(".fifo"))
            return Shipment(lines=lines)
        case SnsSubscription():
            return Shipment(messages=[message for _, message in parsed(lines, file, parse_topic_line)])
        case S3Notification():
            return Shipment(objects=[each for _, each in parsed(lines, file, parse_object_line)])
        case StreamMapping(event_source="kinesis"):
            return Shipment(records=[record for _, record in parsed(lines, file, parse_stream_line)])
        case StreamMapping():
            items = parsed(lines, file, parse_item)
            try:
                return Shipment(items=[item for _, item in items], key=key_of(items))
            except InvalidParameterValue as error:
                raise Misuse(f"{shown_file(file)}, {error}") from None
        case _:
            assert_never(source)


async def ship(shipment: Shipment, place: Place, source: Filled) -> str:
    """Send it; returns what was done, for people. Raises: SourceError."""
    name = source_name(source)
    match source:
        case EventSourceMapping():
            return told(await _ship_messages(shipment.lines, place, source), "message", f"sent to {name}")
        case SnsSubscription():
            region = place.aws.region or region_of_topic(source.topic_arn)
            async with open_topics(replace(place.aws, region=region)) as topics:
                await publish_messages(topics, await topics.find_topic(source.topic_arn), shipment.messages)
            return told(len(shipment.messages), "message", f"published to {name}")
        case S3Notification():
            async with open_objects(place.aws) as objects:
                await put_objects(objects, name, shipment.objects)
            return told(len(shipment.objects), "object", f"put into {name}")
        case StreamMapping(event_source="kinesis"):
            async with open_kinesis(place.aws) as kinesis:
                await put_records(kinesis, name, shipment.records)
            return told(len(shipment.records), "record", f"put into {name}")
        case StreamMapping():
            async with open_dynamodb(place.aws) as dynamodb:
                await put_items(dynamodb.tables, name, shipment.items)
            return told(len(shipment.items), "item", f"put into {name}, whose key is {shipment.key.name}")
        case _:
            assert_never(source)


def told(count: int, noun: str, what: str) -> str:
    """`2 messages sent to orders`."""
    return f"{count} {noun}{'' if count == 1 else 's'} {what}"


async def _ship_messages(lines: Sequence[bytes], place: Place, source: EventSourceMapping) -> int:
    reference = parse_queue(source.event_source_arn)
    aws = replace(
        place.aws,
        endpoint_url=place.aws.endpoint_url or reference.endpoint_url,
        region=place.aws.region or reference.region,
    )
    async with open_sqs(aws) as wire:
        return await send_lines(wire, reference.url or await wire.get_queue_url(reference.name), lines)
