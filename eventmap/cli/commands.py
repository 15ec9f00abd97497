"""The command line as a whole: which commands there are, and how each ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from eventmap.cli.checkpoint import checkpoint_app
from eventmap.cli.event import event_app
from eventmap.cli.events import events_app
from eventmap.cli.failure import FAILED, MISUSE, show
from eventmap.cli.invoke import invoke
from eventmap.cli.match import match
from eventmap.cli.publish import publish
from eventmap.cli.replay import replay
from eventmap.cli.run import run
from eventmap.cli.schedule import schedule_app
from eventmap.cli.send import send
from eventmap.cli.serve import serve
from eventmap.cli.streams import streams

# typer names one of its usage errors only; their common parent covers unknown options and missing arguments too.
_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]
_INTERRUPTED: Final = 130  # as a shell shows a process that Ctrl-C ended

# Plain help: the tables of the rich one cut the names of options short.
app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
for _command, _gist in (
    (run, "Run handlers against their sources."),
    (serve, "Serve functions as Lambda's API does."),
    (send, "Send JSON lines to a queue."),
    (publish, "Publish JSON lines to a topic."),
    (invoke, "Invoke a handler once."),
    (match, "Try an event pattern on an event."),
    (streams, "Show a stream's shards and how far they are read."),
    (replay, "Feed a stream's history into a handler."),
):
    app.command(short_help=_gist)(_command)
app.add_typer(event_app, short_help="Print an event of AWS' shape.")
app.add_typer(events_app, short_help="Show, retry and drop asynchronous events.")
app.add_typer(checkpoint_app, short_help="Move what is done of a stream's shards.")
app.add_typer(schedule_app, short_help="Show when a schedule expression is due.")


def _print_version(wanted: bool) -> None:
    if wanted:
        from eventmap import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(no_args_is_help=True)
def eventmap(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Run AWS Lambda handlers anywhere: sources polled, batches fed, failures settled as Lambda would.

    \b
    eventmap run app:handler --local --sqs orders --send orders.jsonl --until-empty
    """


def run_command_line(arguments: Sequence[str] | None) -> int:
    """Run one command; returns its exit code. A user's error becomes one line on standard error, never a traceback."""
    try:
        code = app(args=arguments, prog_name="eventmap", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except _USAGE_ERROR as error:
        return _show_usage(error)
    except Exception as error:
        code = show(error)
        if code is None:  # a defect of ours: its traceback is worth more than a line
            raise
    return int(code or 0)


def _show_usage(error: BaseException) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "eventmap"
    message = str(error.format_message() if hasattr(error, "format_message") else error)
    if "\n" in message:  # nothing was given at all: its message is the help
        typer.echo(message, err=True)
    else:
        message = message.replace("Value error, ", "").rstrip(".")
        typer.echo(f"eventmap: {message}. See: {command} --help", err=True)
    return MISUSE
