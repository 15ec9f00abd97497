"""One process at work: from options to a service that runs until it is stopped or its sources are done."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import anyio

from eventmap import service
from eventmap.cli.config_file import ConfigFile
from eventmap.cli.dead_letters import Saved, save_dead_letters, save_records, save_reports
from eventmap.cli.emulated import create_sources, localized, undelivered
from eventmap.cli.event_summary import owed_events
from eventmap.cli.failure import Misuse
from eventmap.cli.mappings import kind_of
from eventmap.cli.output import Output
from eventmap.cli.place import Place, open_place
from eventmap.cli.plan import Plan, make_plan
from eventmap.cli.progress import Progress
from eventmap.cli.replaying import leases_for_replay
from eventmap.cli.run_options import RunOptions
from eventmap.cli.sending import Shipment, packed, ship
from eventmap.cli.server import event_place, http_api_settings, http_settings, schedule_place
from eventmap.cli.starting import tell_start
from eventmap.cli.stopping import Stop
from eventmap.cli.tally import tally_of
from eventmap.cli.watching import Watched, watch
from eventmap.rules.leases import FAILOVER_S, LeaseSettings
from eventmap.service import Running

_FILLED: Final = {"kinesis": "stream", "dynamodb": "table", "s3": "bucket"}


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

    saved: Saved = field(default_factory=dict)  #: dead letters
    reports: Saved = field(default_factory=dict)  #: of discarded batches
    records: Saved = field(default_factory=dict)  #: of the ends of asynchronous events
    undelivered: int = 0  #: messages


async def serve(job: Job) -> Leftovers:
    """Run the service in this process; the counters are `job.progress.tally`. Raises: EventmapError."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(open_place(job.options))
        plan, shipment = await prepare(job, place)
        settings = _settings(job, place)
        if job.options.replay_from is not None:
            settings = await stack.enter_async_context(leases_for_replay(job.options, plan, settings))
        async with service.running(plan.functions, plan.mappings, settings) as running:
            job.stop.works()
            tell_start(job.options, job.output, place, plan, running)
            if job.options.send and plan.pushes:  # nobody keeps a message for who subscribes later
                job.output.tell(await ship(shipment, place, plan.sources[0]))
            await _work(job, place, plan, running)
        owed = owed_events(job.options, plan, job.progress.tally)
        job.progress.sample(replace(job.progress.tally, owed=owed))
        return await leftovers(job, place, plan)


async def prepare(job: Job, place: Place) -> tuple[Plan, Shipment]:
    """What is to run, and what is to be sent first; a local place gets its sources, a queue or stream what is sent.

    Raises: EventmapError.
    """
    options, output = job.options, job.output
    plan = await make_plan(options, job.config)
    shipment = _packed(job, plan)
    if place.is_local:
        plan = localized(plan, place)
        if not options.emulator_url:
            await create_sources(place, plan, shipment.key)
    output.names_functions = len(plan.functions) > 1
    if not options.emulator_url:
        for note in plan.notes:
            output.tell(note)
    if options.send and not plan.pushes:
        output.tell(await ship(shipment, place, plan.sources[0]))
    return plan, shipment


async def leftovers(job: Job, place: Place, plan: Plan) -> Leftovers:
    """Save what would end with the embedded emulator. Raises: SourceError, OSError."""
    if not place.is_local or job.options.emulator_url:
        return Leftovers()
    saved, reports = await save_dead_letters(place, plan), await save_reports(place, plan)
    return Leftovers(saved, reports, await save_records(place, plan), await undelivered(place, plan))


def _settings(job: Job, place: Place) -> service.Settings:
    options = job.options
    # The emulator's streams are gone with it: their leases have nobody to be kept for, unless workers share them.
    leases = options.leases or ("memory" if place.is_local and not options.state else "sqlite")
    events, events_file = event_place(options)
    schedules, schedules_file = schedule_place(options)
    return service.Settings(
        aws=place.aws,
        log=job.output,
        drain_budget_s=options.drain_seconds,
        warm=True,
        leases=leases,
        state=Path(options.state) if options.state else None,
        lease_settings=LeaseSettings(options.failover_seconds or FAILOVER_S),
        http=http_settings(options),
        events=events,
        events_file=events_file,
        schedules=schedules,
        schedules_file=schedules_file,
        buses_file=Path(options.buses) if options.buses else None,
        control_file=Path(options.control) if options.control else None,
        http_api=http_api_settings(options),
        keep_subscriptions=options.keep_subscriptions,
        # Whether a topic has yet to call cannot be known; what is in a queue can.
        pushes_over="queue" if options.until_empty else "auto",
    )


def _packed(job: Job, plan: Plan) -> Shipment:
    options = job.options
    if not options.send:
        return Shipment()
    if len(plan.sources) != 1:
        raise Misuse(f"--send needs exactly one source, and {len(plan.sources)} are mapped: use eventmap send")
    kind = kind_of(plan.sources[0])
    if kind not in ("sqs", "sns") and not options.local:
        raise Misuse(f"--send fills a {_FILLED[kind]} of --local only: write to it yourself")
    return packed(job.lines, options.send, plan.sources[0])


async def _work(job: Job, place: Place, plan: Plan, running: Running) -> None:
    """Until a signal, or until the sources are done; then drain."""
    ended = anyio.Event()

    async def end_when_asked() -> None:
        await job.stop.asked.wait()
        ended.set()

    async def end_when_done() -> None:
        if job.options.until_empty:
            await running.until_empty()
            await running.until_idle()
        if job.options.until_caught_up:
            await running.until_caught_up()
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(job.progress.follow, lambda: tally_of(running))
        async with anyio.create_task_group() as working:
            working.start_soon(end_when_asked)
            if job.options.until_empty or job.options.until_caught_up:
                working.start_soon(end_when_done)
            if job.options.watch:
                working.start_soon(watch, Watched(job.options, job.config, place, plan, running), job.output, ended)
            await ended.wait()
            working.cancel_scope.cancel()
        left = await running.drain()
        tasks.cancel_scope.cancel()
    job.progress.sample(replace(tally_of(running), left=left))
