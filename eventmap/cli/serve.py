"""One process at work: from options to a service that runs until it is stopped or its queues are empty."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from eventmap import service
from eventmap.aws.arn import parse_queue
from eventmap.aws.session import open_wire
from eventmap.cli.config_file import ConfigFile
from eventmap.cli.dead_letters import save_dead_letters
from eventmap.cli.failure import Misuse
from eventmap.cli.lines import check_lines
from eventmap.cli.output import Output
from eventmap.cli.place import Place, create_all_queues, localized, open_place, undelivered
from eventmap.cli.plan import Plan, make_plan
from eventmap.cli.progress import Progress
from eventmap.cli.run_options import RunOptions
from eventmap.cli.stopping import Stop
from eventmap.cli.tally import tally_of
from eventmap.cli.watching import Watched, watch
from eventmap.local.seeding import send_lines
from eventmap.service import Running


@dataclass(frozen=True, slots=True)
class Job:
    """All that a run is about."""

    options: RunOptions
    config: ConfigFile
    lines: list[bytes]  #: to send first
    output: Output
    progress: Progress
    stop: Stop


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What an embedded emulator held when it ended; nothing for other places."""

    saved: dict[str, tuple[Path, int]] = field(default_factory=dict)  #: dead letters, by queue: (file, how many)
    discarded: int = 0  #: undelivered messages


async def serve(job: Job) -> Leftovers:
    """Run the service in this process; the counters are `job.progress.tally`. Raises: EventmapError."""
    options = job.options
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(open_place(options))
        plan = await prepare(job, place)
        settings = service.Settings(aws=place.aws, log=job.output, drain_budget_s=options.drain_seconds, warm=True)
        async with service.running(plan.functions, plan.mappings, settings) as running:
            job.stop.works()
            _tell_start(job, place, running)
            await _work(job, plan, running)
        return await leftovers(job, place, plan)


async def prepare(job: Job, place: Place) -> Plan:
    """What is to run; a local place gets its queues, and the queue the messages to send. Raises: EventmapError."""
    options, output = job.options, job.output
    plan = await make_plan(options, job.config)
    if options.send and len(plan.queue_names) != 1:
        raise Misuse(f"--send needs exactly one queue, and {len(plan.queue_names)} are mapped: use eventmap send")
    if options.send:
        check_lines(job.lines, options.send, fifo=plan.queue_names[0].endswith(".fifo"))
    if place.is_local:
        plan = localized(plan)
        if not options.emulator_url:
            await create_all_queues(place, plan)
    output.names_functions = len(plan.functions) > 1
    if not options.emulator_url:
        for note in plan.notes:
            output.tell(note)
    if options.send:
        await _send(job, place, plan)
    return plan


async def leftovers(job: Job, place: Place, plan: Plan) -> Leftovers:
    """Save what would end with the embedded emulator. Raises: SourceError, OSError."""
    if not place.is_local or job.options.emulator_url:
        return Leftovers()
    return Leftovers(await save_dead_letters(place, plan), await undelivered(place, plan))


async def _send(job: Job, place: Place, plan: Plan) -> None:
    [name] = plan.queue_names
    reference = parse_queue(plan.mappings[0].event_source_arn)
    aws = replace(
        place.aws,
        endpoint_url=place.aws.endpoint_url or reference.endpoint_url,
        region=place.aws.region or reference.region,
    )
    async with open_wire(aws) as wire:
        count = await send_lines(wire, reference.url or await wire.get_queue_url(name), job.lines)
    job.output.tell(f"{count} message{'' if count == 1 else 's'} sent to {name}")


async def _work(job: Job, plan: Plan, running: Running) -> None:
    """Until a signal, or until the queues are empty; then drain."""
    ended = anyio.Event()

    async def end_when_asked() -> None:
        await job.stop.asked.wait()
        ended.set()

    async def end_when_empty() -> None:
        await running.until_empty()
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(job.progress.follow, lambda: tally_of(running))
        async with anyio.create_task_group() as working:
            working.start_soon(end_when_asked)
            if job.options.until_empty:
                working.start_soon(end_when_empty)
            if job.options.watch:
                working.start_soon(watch, Watched(job.options, job.config, plan, running), job.output, ended)
            await ended.wait()
            working.cancel_scope.cancel()
        left = await running.drain()
        tasks.cancel_scope.cancel()
    job.progress.sample(replace(tally_of(running), left=left))


def _tell_start(job: Job, place: Place, running: Running) -> None:
    where = "the embedded emulator" if place.is_local else place.aws.endpoint_url or "AWS"
    shown = ", ".join(f"{arn.rpartition(':')[2]} -> {name}" for arn, name in running.statistics())
    job.output.tell(f"polling at {where}: {shown}. Ctrl-C drains")
    for queue in running.queues():
        if job.options.until_empty and queue.maximum_receive_count is None:
            job.output.tell(
                f"{queue.arn.rpartition(':')[2]} has no redrive policy: it is not empty before a message that always "
                "fails has expired"
            )
