"""The options of the commands, as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer


class Isolation(StrEnum):
    """Where handlers run."""

    PROCESS = "process"
    INLINE = "inline"


class LogFormat(StrEnum):
    """How a run prints."""

    AUTO = "auto"
    PLAIN = "plain"
    JSON = "json"


SOURCE_PANEL: Final = "Source and mapping"
FUNCTION_PANEL: Final = "Function"
WHERE_PANEL: Final = "Where"
RUN_PANEL: Final = "Run"

TARGET_HELP: Final = "module:attribute or path/to/file.py:attribute of a handler or an App."

Targets = Annotated[list[str] | None, typer.Argument(metavar="TARGET…", help=TARGET_HELP, show_default=False)]
Target = Annotated[str, typer.Argument(metavar="TARGET", help=TARGET_HELP)]

Sqs = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|URL|ARN", help="Map this queue to each handler; repeatable.", rich_help_panel=SOURCE_PANEL
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Records per invocation at most, 1 to 10,000; 10, streams 100.", rich_help_panel=SOURCE_PANEL
    ),
]
Window = Annotated[
    int | None,
    typer.Option(metavar="S", help="Gather a batch for so long, 0 to 300 s; 0.", rich_help_panel=SOURCE_PANEL),
]
MaximumConcurrency = Annotated[
    int | None,
    typer.Option(metavar="N", help="Invocations at once for each queue, 1 to 1,000.", rich_help_panel=SOURCE_PANEL),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(metavar="JSON", help="Pattern of records to let through; repeatable.", rich_help_panel=SOURCE_PANEL),
]
ReportBatchItemFailures = Annotated[
    bool | None,
    typer.Option(
        "--report-batch-item-failures/--no-report-batch-item-failures",
        help="Retry only the records the handler reports. On by itself for @each_record handlers.",
        rich_help_panel=SOURCE_PANEL,
        show_default=False,
    ),
]
Timeout = Annotated[
    int | None, typer.Option(metavar="S", help="Seconds per invocation, 1 to 900; 3.", rich_help_panel=FUNCTION_PANEL)
]
MemorySize = Annotated[
    int | None, typer.Option(metavar="MB", help="Memory limit, 128 to 10,240 MB; 128.", rich_help_panel=FUNCTION_PANEL)
]
Env = Annotated[
    list[str] | None,
    typer.Option(
        metavar="K=V", help="Environment variable of the handler; repeatable.", rich_help_panel=FUNCTION_PANEL
    ),
]
IsolationOption = Annotated[
    Isolation | None,
    typer.Option(
        "--isolation",
        help="process: in child processes, as Lambda; inline: in this one. Default: process.",
        rich_help_panel=FUNCTION_PANEL,
        show_default=False,
    ),
]
Local = Annotated[
    bool, typer.Option("--local", help="Use an embedded emulator; no account needed.", rich_help_panel=WHERE_PANEL)
]
EndpointUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Of another server that speaks for AWS.", rich_help_panel=WHERE_PANEL)
]
Region = Annotated[str | None, typer.Option(metavar="NAME", help="AWS region.", rich_help_panel=WHERE_PANEL)]
Profile = Annotated[
    str | None, typer.Option(metavar="NAME", help="Profile of the AWS config files.", rich_help_panel=WHERE_PANEL)
]
Config = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="eventmap.toml: several functions and mappings.", rich_help_panel=RUN_PANEL),
]
UntilEmpty = Annotated[
    bool, typer.Option("--until-empty", help="End when the queues hold nothing any more.", rich_help_panel=RUN_PANEL)
]
Send = Annotated[
    str | None,
    typer.Option(metavar="FILE|-", help="Send these JSON lines to the source first.", rich_help_panel=RUN_PANEL),
]
Workers = Annotated[
    int, typer.Option(metavar="N", help="Processes that poll.", rich_help_panel=RUN_PANEL, min=1, max=256)
]
Watch = Annotated[bool, typer.Option("--watch", help="Reload the handler when it is saved.", rich_help_panel=RUN_PANEL)]
DrainSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="S", help="What runs may take so long to end; longest timeout + 5.", rich_help_panel=RUN_PANEL, min=0
    ),
]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option(
        "--log-format", help="auto: live on a terminal, else plain; json: JSON lines.", rich_help_panel=RUN_PANEL
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the engine's INFO events.", rich_help_panel=RUN_PANEL)
]
