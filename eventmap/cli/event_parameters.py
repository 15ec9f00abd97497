"""The options about schedules, event buses, HTTP routes and the API that changes them; as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eventmap.cli.parameters import RUN_PANEL, SOURCE_PANEL


class HttpFormat(StrEnum):
    """The shape of a request's event."""

    HTTP_API = "2.0"
    REST_API = "1.0"
    FUNCTION_URL = "url"
    LOAD_BALANCER = "alb"


ScheduleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--schedule",
        metavar="EXPRESSION",
        help="Invoke each handler at these times: rate(5 minutes), cron(0 3 * * ? *); repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
ScheduleTimezone = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of --schedule: such as Europe/Berlin; UTC.", rich_help_panel=SOURCE_PANEL),
]
EventPattern = Annotated[
    list[str] | None,
    typer.Option(
        metavar="JSON",
        help="Invoke each handler with the events of a served bus that match; repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
Bus = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Of --event-pattern: the bus; default.", rich_help_panel=SOURCE_PANEL),
]
BusBucket = Annotated[
    list[str] | None,
    typer.Option(
        metavar="BUCKET|ARN",
        help="Of --event-pattern: put this bucket's changes on the bus; repeatable.",
        rich_help_panel=SOURCE_PANEL,
    ),
]
HttpApi = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="Let the handler, or an App's routes, answer HTTP requests there; 0 = any free port.",
        rich_help_panel=SOURCE_PANEL,
        min=0,
        max=65_535,
    ),
]
HttpFormatOption = Annotated[
    HttpFormat | None,
    typer.Option(
        "--http-format",
        help="Of --http-api: the event is a request of an HTTP API (2.0), REST API (1.0), function URL or load "
        "balancer; 2.0.",
        rich_help_panel=SOURCE_PANEL,
        show_default=False,
    ),
]
ScheduleState = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|dynamodb:TABLE",
        help="Where it is noted which schedule has run when; .eventmap/schedules.sqlite.",
        rich_help_panel=RUN_PANEL,
    ),
]
Buses = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Where event buses are; .eventmap/buses.sqlite.", rich_help_panel=RUN_PANEL),
]
Control = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Where mappings and functions made by API are; .eventmap/control.sqlite.",
        rich_help_panel=RUN_PANEL,
    ),
]
