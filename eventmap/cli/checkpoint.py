"""`eventmap checkpoint`: move what is done of a stream's shards, forth or back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eventmap.cli import parameters, stream_parameters

_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_ForceSet = Annotated[
    bool,
    typer.Option(
        "--force", help="Even while a worker reads there: it loses the shard, and goes on from the new place."
    ),
]
_ForceReset = Annotated[
    bool,
    typer.Option("--force", help="Even while a worker reads there: it begins anew, within a minute."),
]
_POSITION = "SEQUENCE|TRIM_HORIZON|LATEST"

checkpoint_app = typer.Typer(
    name="checkpoint", no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=__doc__.strip()
)


@checkpoint_app.command("set", short_help="Say up to where shards are done.")
def set_(
    source: stream_parameters.Source,
    position: Annotated[str, typer.Argument(metavar=_POSITION, help="The last record done, or where to begin.")],
    function: stream_parameters.FunctionName = None,
    shard: stream_parameters.Shard = None,
    leases: stream_parameters.Leases = None,
    state: stream_parameters.State = None,
    yes: _Yes = False,
    force: _ForceSet = False,
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
) -> int:
    """Say up to where a shard is done: reading goes on behind SEQUENCE. Without --shard: all shards.

    \b
    eventmap checkpoint set kinesis:clicks LATEST
    eventmap checkpoint set kinesis:clicks 49590338271490256608559692538361571095921575989136588898 \\
        --shard shardId-000000000000
    """
    return _move(position, dict(locals()))


@checkpoint_app.command("reset", short_help="Forget how far shards are.")
def reset(
    source: stream_parameters.Source,
    function: stream_parameters.FunctionName = None,
    shard: stream_parameters.Shard = None,
    leases: stream_parameters.Leases = None,
    state: stream_parameters.State = None,
    yes: _Yes = False,
    force: _ForceReset = False,
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
) -> int:
    """Forget the whole application, as if it had never run; with --shard: read that one again from its start.

    \b
    eventmap checkpoint reset dynamodb:orders --function handler
    """
    return _move(None, dict(locals()))


def _move(position: str | None, given: dict[str, Any]) -> int:
    import anyio

    from eventmap.cli.application import Asked
    from eventmap.cli.moving import check_position, forget, move

    if position is not None:
        check_position(position)
    asked = Asked.given(given)
    shard, yes, force = given["shard"], given["yes"], given["force"]

    async def run() -> str:
        async with asked.opened() as application:
            if position is None and shard is None:
                return await forget(application, yes=yes, force=force)
            return await move(application, position or "TRIM_HORIZON", shard, yes=yes, force=force)

    typer.echo(anyio.run(run))
    return 0
