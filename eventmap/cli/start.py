"""The start and the end of `eventmap run` and `eventmap serve`."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from dataclasses import replace

import anyio

from eventmap.cli.checks import check
from eventmap.cli.config_file import ConfigFile, read_config
from eventmap.cli.lines import read_lines
from eventmap.cli.output import Output, chosen_format, show_events
from eventmap.cli.plan import under_options
from eventmap.cli.printed import Printed
from eventmap.cli.progress import Progress
from eventmap.cli.run_options import RunOptions
from eventmap.cli.server import take_access_keys


def start(options: RunOptions) -> int:
    """Run until the end; returns the exit code. Raises: EventmapError."""
    config = read_config(options.config) if options.config else ConfigFile()
    options = under_options(replace(options, access_keys=take_access_keys(os.environ)), config)
    check(options, config)
    lines = [] if options.send is None else read_lines(options.send)
    progress = Progress()
    form = chosen_format(options.log_format)
    output = Output(form, progress.line)
    show_events(output, verbose=options.verbose)
    options = replace(options, log_format="json" if form == "json" else "plain")

    async def run() -> int:
        # Imported behind the checks, so that a wrong option is told of at once.
        from eventmap.cli.stopping import Stop
        from eventmap.cli.summary import summarize
        from eventmap.cli.watching import check_watching
        from eventmap.cli.working import Job, serve

        if options.watch:
            check_watching()
        stop = Stop(output)
        job = Job(options, config, lines, output, progress, stop)

        async def work() -> int:
            if options.workers == 1:
                return summarize(options, progress, await serve(job), output)
            from eventmap.cli.supervise import supervise

            worst, leftovers = await supervise(job)
            return max(worst, summarize(options, progress, leftovers, output))

        return await stop.around(work)

    try:
        with redirect_stdout(Printed(output)):
            return anyio.run(run)
    finally:
        output.close()
