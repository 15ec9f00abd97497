"""The options about streams, as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eventmap.cli.parameters import RUN_PANEL, SOURCE_PANEL


class StartingPosition(StrEnum):
    """Where a shard without a checkpoint is begun."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"


Kinesis = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STREAM|ARN",
        help="Map this Kinesis stream to each handler; repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
DynamoDb = Annotated[
    list[str] | None,
    typer.Option(
        "--dynamodb",
        metavar="TABLE|ARN",
        help="Map this table's stream to each handler; repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="The stream: kinesis:NAME, dynamodb:TABLE or an ARN of either.")
]
StartingPositionOption = Annotated[
    StartingPosition | None,
    typer.Option(
        "--starting-position",
        help="Of shards without a checkpoint. Needed; --local: TRIM_HORIZON.",
        rich_help_panel=SOURCE_PANEL,
        show_default=False,
    ),
]
StartingPositionTimestamp = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="For AT_TIMESTAMP: epoch seconds or ISO 8601.", rich_help_panel=SOURCE_PANEL),
]
ParallelizationFactor = Annotated[
    int | None,
    typer.Option(metavar="N", help="Batches of a shard at once, 1 to 10; 1.", rich_help_panel=SOURCE_PANEL),
]
MaximumRetryAttempts = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Retries of a batch, 0 to 10,000; -1 = until it expires.", rich_help_panel=SOURCE_PANEL
    ),
]
MaximumRecordAge = Annotated[
    int | None,
    typer.Option(metavar="S", help="Discard older records, 60 to 604,800 s; -1 = never.", rich_help_panel=SOURCE_PANEL),
]
BisectBatch = Annotated[
    bool | None,
    typer.Option(
        "--bisect-batch-on-function-error",
        help="Split a failed batch in two and retry each part.",
        rich_help_panel=SOURCE_PANEL,
        show_default=False,
    ),
]
TumblingWindow = Annotated[
    int | None,
    typer.Option(metavar="S", help="Windows with a state of their own, to 900 s.", rich_help_panel=SOURCE_PANEL),
]
UntilCaughtUp = Annotated[
    bool,
    typer.Option(
        "--until-caught-up", help="End when each shard is read to its end as of now.", rich_help_panel=RUN_PANEL
    ),
]
Leases = Annotated[
    str | None,
    typer.Option(
        metavar="sqlite|dynamodb:TABLE", help="Where shards are shared out; sqlite.", rich_help_panel=RUN_PANEL
    ),
]
State = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Of sqlite; .eventmap/state.sqlite.", rich_help_panel=RUN_PANEL),
]
FailoverSeconds = Annotated[
    float | None,
    typer.Option(metavar="S", help="A silent worker loses its shards after; 10.", rich_help_panel=RUN_PANEL, min=1),
]
FunctionName = Annotated[
    str | None,
    typer.Option(
        "--function", metavar="NAME", help="The function, as `eventmap run` names it; needed if several read there."
    ),
]
Shard = Annotated[str | None, typer.Option(metavar="SHARD", help="Only this shard.")]
