"""`eventmap publish`: JSON lines to a topic."""

from __future__ import annotations

from typing import Annotated

import typer

from eventmap.cli import parameters
from eventmap.cli.failure import Misuse


def publish(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Name or ARN.")],
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="JSON lines; - = standard input.")] = "-",
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
) -> int:
    """Publish messages to a topic: each line a JSON string, or an object with message, subject, attributes.

    \b
    echo '"hello"' | eventmap publish placed-orders
    echo '{"message": {"id": 7}, "subject": "an order", "attributes": {"tenant": "a"}}' | eventmap publish placed-orders
    eventmap publish placed-orders orders.jsonl --endpoint-url http://127.0.0.1:4566
    """
    import anyio

    from eventmap.aws.session import AwsSettings
    from eventmap.cli.lines import parsed, read_lines
    from eventmap.cli.mappings import region_of_topic, topic_name
    from eventmap.errors import InvalidParameterValue
    from eventmap.local.topic_lines import parse_topic_line

    try:
        name = topic_name(topic)
    except InvalidParameterValue as error:
        raise Misuse(str(error)) from None
    if name.endswith(".fifo"):
        raise Misuse(f"{name} is a FIFO topic, whose messages need a group: use `aws sns publish`")
    entries = [entry for _, entry in parsed(read_lines(file), file, parse_topic_line)]
    aws = AwsSettings(endpoint_url=endpoint_url, region=region or region_of_topic(topic), profile=profile)

    async def publish_all() -> None:
        from eventmap.aws.sns import open_topics
        from eventmap.local.push_seeding import publish_messages

        async with open_topics(aws) as topics:
            await publish_messages(topics, await topics.find_topic(topic), entries)

    anyio.run(publish_all)
    typer.echo(f"{len(entries)} message{'' if len(entries) == 1 else 's'} published to {name}")
    return 0
