"""What the commands that make events have in common: options, and where and when an event is from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from eventmap.cli.failure import DONE, Misuse
from eventmap.cli.instant import moment_of
from eventmap.model import JsonObject
from eventmap.testing.origin import Origin

SAMPLE_BODY: Final = '{"id": 7, "customer": "ada"}'

Body = Annotated[
    str, typer.Option("--body", metavar="TEXT|@FILE|-", help="What each record holds; - = standard input.")
]
Count = Annotated[int, typer.Option("--count", metavar="N", min=1, max=10_000, help="So many records.")]
Attributes = Annotated[
    list[str] | None, typer.Option("--attribute", metavar="K=V", help="A message attribute; repeatable.")
]
Headers = Annotated[list[str] | None, typer.Option("--header", metavar="K=V", help="A header; repeatable.")]

_ORIGIN: Final[dict[str, tuple[Any, Any]]] = {
    "region": (Annotated[str, typer.Option("--region", metavar="NAME", help="The AWS region.")], "us-east-1"),
    "account": (Annotated[str, typer.Option("--account", metavar="ID", help="The account.")], "123456789012"),
    "at": (
        Annotated[str, typer.Option("--at", metavar="TIME", help="When: epoch seconds or ISO 8601.")],
        "2026-01-01T00:00:00Z",
    ),
    "seed": (
        Annotated[int, typer.Option("--seed", metavar="N", min=0, max=2**32, help="Another one, other identifiers.")],
        0,
    ),
}
"""The options every one of them has, and their defaults: the event is the same each time."""


def printing(build: Callable[..., JsonObject]) -> Callable[..., int]:
    """A command that prints the event `build` makes of its options and an `origin`, which four more options say."""

    def command(*, region: str, account: str, at: str, seed: int, **options: Any) -> int:
        import orjson

        from eventmap.errors import InvalidParameterValue

        try:
            event = build(**options, origin=Origin(region, account, _moment(at), seed))
        except InvalidParameterValue as error:
            raise Misuse(str(error)) from None
        typer.echo(orjson.dumps(event).decode())
        return DONE

    of_build = inspect.signature(build, eval_str=True).parameters.values()
    parameters = [each for each in of_build if each.name != "origin"]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _ORIGIN.items()
    ]
    # typer reads the options off these.
    command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": int}
    command.__doc__ = build.__doc__
    return command


def _moment(text: str) -> datetime:
    seconds = moment_of(text, "--at")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise Misuse(f"--at {text!r} is in no year from 1 to 9999") from None
