"""`eventmap streams`: the shards of a stream, who reads them, and how far they are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eventmap.cli import parameters, stream_parameters


def streams(
    source: stream_parameters.Source,
    function: stream_parameters.FunctionName = None,
    leases: stream_parameters.Leases = None,
    state: stream_parameters.State = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each shard.")] = False,
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
) -> int:
    """Show a stream's shards with parents, owners, checkpoints, and what is still to be read. Changes nothing.

    \b
    eventmap streams kinesis:clicks
    eventmap streams dynamodb:orders --function handler
    eventmap streams dynamodb:orders --leases dynamodb:orders-leases --json
    """
    return _show(json, dict(locals()))


def _show(as_json: bool, given: dict[str, Any]) -> int:
    import anyio

    from eventmap.cli.application import Asked
    from eventmap.cli.shard_table import look, shown_as_json, shown_as_table

    asked = Asked.given(given)

    async def show() -> None:
        async with asked.opened_to_look() as (application, name):
            view = await look(application)
        typer.echo("\n".join(shown_as_json(view) if as_json else shown_as_table(view, name)))

    anyio.run(show)
    return 0
