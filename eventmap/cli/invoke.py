"""`eventmap invoke`: one invocation, its result on standard output and its log on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from eventmap.cli import parameters
from eventmap.cli.failure import DONE, FAILED, Misuse
from eventmap.cli.given import file_given

if TYPE_CHECKING:
    from eventmap.function import Function
    from eventmap.model import Event


def invoke(
    target: parameters.Target,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="The event, a JSON document; - = standard input.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="The same as an option.", show_default=False)
    ] = None,
    timeout: parameters.Timeout = None,
    memory_size: parameters.MemorySize = None,
    env: parameters.Env = None,
    isolation: parameters.IsolationOption = None,
) -> int:
    """Invoke a handler once. Exit 1 if the function fails; its error object is then on standard output.

    \b
    eventmap invoke app:handler --event event.json
    eventmap event sqs --body '{"id": 7}' | eventmap invoke app:handler -
    echo '{"n": 1}' | eventmap invoke app:handler --event - --timeout 30 --env STAGE=dev
    """
    import anyio

    from eventmap.cli.plan import one_function
    from eventmap.cli.run_options import RunOptions, variables

    if (file is None) == (event is None):
        raise Misuse("the event is needed, once: FILE, or - for standard input, behind TARGET or with --event")
    document = _read_event(file or event or "")
    options = RunOptions(
        targets=(target,),
        timeout=timeout,
        memory_size=memory_size,
        env=variables(env or ()),
        isolation=isolation.value if isolation else None,
    )

    async def run() -> int:
        return await _invoke(await one_function(options), document)

    return anyio.run(run)


class _OnStandardError:
    """The log of the invocation."""

    enabled = True

    def line(self, function_name: str, request_id: str, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


async def _invoke(function: Function, event: Event) -> int:
    import os

    from eventmap.model import Refused, Returned
    from eventmap.runtime.invoker import FunctionRuntime

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    async with FunctionRuntime(function, region=region, account_id="000000000000", log=_OnStandardError()) as runtime:
        response = await runtime.invoke(event)
    if isinstance(response, Refused):
        typer.echo(f"eventmap: the invocation could not start: {response.reason}", err=True)
        return FAILED
    typer.echo(response.payload.decode())
    return DONE if isinstance(response, Returned) else FAILED


def _read_event(file: str) -> Event:
    from eventmap.model import Event

    try:
        return Event.from_text(file_given(file, "the event"))
    except ValueError as error:
        raise Misuse(f"the event in {'standard input' if file == '-' else file} is not JSON: {error}") from None
