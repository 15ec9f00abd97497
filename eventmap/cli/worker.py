"""One of several workers: a process that serves, and sends all it has to say to its supervisor."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from dataclasses import asdict

import anyio

from eventmap.cli import end
from eventmap.cli.config_file import ConfigFile, read_config
from eventmap.cli.failure import DONE, FAILED, show
from eventmap.cli.output import Output, show_events
from eventmap.cli.printed import Printed
from eventmap.cli.progress import Progress
from eventmap.cli.run_options import RunOptions
from eventmap.cli.stopping import Stop
from eventmap.cli.working import Job, serve


def main(arguments: list[str]) -> None:
    """Serve as the options on standard input say; everything goes to the descriptor that is the only argument.

    Standard input stays open as long as the supervisor lives: without it the worker drains and ends.
    """
    options = RunOptions.from_json(sys.stdin.readline())
    output = Output("json" if options.log_format == "json" else "plain", str, channel=int(arguments[0]))
    show_events(output, verbose=options.verbose)
    config = read_config(options.config) if options.config else ConfigFile()
    progress = Progress(lambda tally: output.report(asdict(tally)))
    try:
        with redirect_stdout(Printed(output)):
            code = anyio.run(_run, options, config, output, progress)
    except Exception as error:
        failed = show(error)
        if failed is None:  # a defect of ours, whose traceback the supervisor passes on
            raise
        code = failed
    finally:
        output.close()
    end(code)


async def _run(options: RunOptions, config: ConfigFile, output: Output, progress: Progress) -> int:
    stop = Stop(output)
    job = Job(options, config, [], output, progress, stop)

    async def work() -> int:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_drain_without_supervisor, stop)
            await serve(job)
            tasks.cancel_scope.cancel()
        return FAILED if progress.tally.left else DONE

    return await stop.around(work)


async def _drain_without_supervisor(stop: Stop) -> None:
    while await anyio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
        pass
    stop.ask("the supervisor has gone: draining")
