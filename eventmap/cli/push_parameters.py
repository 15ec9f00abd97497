"""The options about pushes: topics, buckets, the server, and asynchronous events; as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eventmap.cli.parameters import FUNCTION_PANEL, RUN_PANEL, SOURCE_PANEL


class PolicyScope(StrEnum):
    """What a filter policy looks at."""

    ATTRIBUTES = "MessageAttributes"
    BODY = "MessageBody"


NAMED_TARGET_HELP = "module:attribute or path/to/file.py:attribute of a handler or an App; NAME= names its function."

NamedTargets = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=]TARGET…", help=NAMED_TARGET_HELP, show_default=False)
]
Sns = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TOPIC|ARN", help="Subscribe each handler to this topic; repeatable.", rich_help_panel=SOURCE_PANEL
    ),
]
S3 = Annotated[
    list[str] | None,
    typer.Option(
        "--s3",
        metavar="BUCKET|ARN",
        help="Let this bucket notify each handler; repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
FilterPolicy = Annotated[
    str | None,
    typer.Option(metavar="JSON", help="Of --sns: which messages SNS sends.", rich_help_panel=SOURCE_PANEL),
]
FilterPolicyScopeOption = Annotated[
    PolicyScope | None,
    typer.Option(
        "--filter-policy-scope",
        help="What it looks at; MessageAttributes.",
        rich_help_panel=SOURCE_PANEL,
        show_default=False,
    ),
]
S3Events = Annotated[
    list[str] | None,
    typer.Option(
        "--s3-events",
        metavar="EVENT",
        help="Of --s3: such as s3:ObjectRemoved:*; repeatable; s3:ObjectCreated:*.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
S3Prefix = Annotated[
    str | None,
    typer.Option("--s3-prefix", metavar="TEXT", help="Only keys that begin so.", rich_help_panel=SOURCE_PANEL),
]
S3Suffix = Annotated[
    str | None,
    typer.Option("--s3-suffix", metavar="TEXT", help="Only keys that end so.", rich_help_panel=SOURCE_PANEL),
]
KeepSubscriptions = Annotated[
    bool,
    typer.Option(
        "--keep-subscriptions",
        help="At the end leave subscriptions, notifications and their queues.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
MaximumRetryAttempts = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Retries of an asynchronous event, 0 to 2; 2. Of a stream's batch, 0 to 10,000; -1 = until it expires.",
        rich_help_panel=FUNCTION_PANEL,
    ),
]
MaximumEventAge = Annotated[
    int | None,
    typer.Option(
        metavar="S",
        help="Give an asynchronous event up when it is older, 60 to 21,600 s; 21,600.",
        rich_help_panel=FUNCTION_PANEL,
    ),
]
OnSuccess = Annotated[
    str | None,
    typer.Option(
        metavar="ARN", help="Send the record of each asynchronous event that succeeded.", rich_help_panel=FUNCTION_PANEL
    ),
]
OnFailure = Annotated[
    str | None,
    typer.Option(
        metavar="ARN",
        help="Send the record of each asynchronous event, or stream's batch, that was given up.",
        rich_help_panel=FUNCTION_PANEL,
    ),
]
DeadLetter = Annotated[
    str | None,
    typer.Option(
        metavar="ARN",
        help="Queue or topic of asynchronous events that were given up, as they were.",
        rich_help_panel=FUNCTION_PANEL,
    ),
]
Http = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="Serve the Lambda API and topics there, too; 0 = any free one.",
        rich_help_panel=RUN_PANEL,
        min=0,
        max=65_535,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Listen there; 0 = any free one; 9000.", rich_help_panel=RUN_PANEL, min=0, max=65_535
    ),
]
Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Listen on it; 127.0.0.1.", rich_help_panel=RUN_PANEL)
]
PublicUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="How SNS reaches the server, if it does.", rich_help_panel=RUN_PANEL),
]
AllowAnonymous = Annotated[
    bool,
    typer.Option(
        "--allow-anonymous", help="Let other machines call the API without a signature.", rich_help_panel=RUN_PANEL
    ),
]
Events = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|sqs:QUEUE",
        help="Where asynchronous events are; .eventmap/events.sqlite.",
        rich_help_panel=RUN_PANEL,
    ),
]
