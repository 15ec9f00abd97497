"""`eventmap send`: JSON lines into a queue."""

from __future__ import annotations

from typing import Annotated

import typer

from eventmap.cli import parameters
from eventmap.cli.failure import Misuse


def send(
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="Name, URL or ARN.")],
    file: Annotated[str, typer.Argument(metavar="[FILE|-]", help="JSON lines; - = standard input.")] = "-",
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
) -> int:
    """Send messages to a queue: each line a JSON string, or an object with body, attributes, group, dedup_id, delay.

    \b
    echo '"hello"' | eventmap send orders
    echo '{"body": {"id": 7}, "attributes": {"tenant": "a"}, "delay": 5}' | eventmap send orders -
    eventmap send orders orders.jsonl --endpoint-url http://127.0.0.1:4566
    """
    import anyio

    from eventmap.aws.arn import parse_queue
    from eventmap.aws.session import AwsSettings
    from eventmap.cli.lines import check_lines, read_lines
    from eventmap.errors import InvalidParameterValue

    try:
        reference = parse_queue(queue)
    except InvalidParameterValue as error:
        raise Misuse(str(error)) from None
    lines = read_lines(file)
    check_lines(lines, file, fifo=reference.is_fifo)
    aws = AwsSettings(
        endpoint_url=endpoint_url or reference.endpoint_url, region=region or reference.region, profile=profile
    )

    async def send_all() -> int:
        from eventmap.aws.session import open_sqs
        from eventmap.local.seeding import send_lines

        async with open_sqs(aws) as wire:
            return await send_lines(wire, reference.url or await wire.get_queue_url(reference.name), lines)

    count = anyio.run(send_all)
    typer.echo(f"{count} message{'' if count == 1 else 's'} sent to {reference.name}")
    return 0
