"""What was given, fits none of what turned out to be there, and would be ignored: refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventmap.cli.checks import ONE_PROCESS
from eventmap.cli.failure import Misuse
from eventmap.cli.run_options import EVENT_SETTINGS, FAILURE_SETTINGS, RunOptions

if TYPE_CHECKING:
    from eventmap.cli.plan import Plan


def refuse_unused(plan: Plan, options: RunOptions) -> None:
    """Raises: Misuse."""
    if not plan.mappings and options.http is None:
        raise Misuse("nothing to poll: no function is mapped to a source")
    _refuse_unused_services(plan, options)
    if options.until_empty and not (plan.queues or plan.pushes or plan.bus_buckets):
        raise Misuse(
            "--until-empty is for queues, topics and buckets, and none is mapped; a stream is never empty: use "
            "--until-caught-up"
        )
    if not plan.streams and (given := options.given_among(("leases", "state", "failover_seconds"))):
        raise Misuse(f"{given[0]} is for streams, and none is mapped")
    if options.until_caught_up and not plan.streams:
        raise Misuse("--until-caught-up is for streams, and none is mapped; use --until-empty for queues")
    if options.keep_subscriptions and not (plan.pushes or plan.bus_buckets):
        raise Misuse("--keep-subscriptions is for topics and buckets, and none is mapped")
    if not plan.takes_events and options.http is None:
        if given := options.given_among((*EVENT_SETTINGS, "events")):
            raise Misuse(
                f"{given[0]} is for asynchronous events, and nothing accepts any: add --http, --sns, --s3 or --schedule"
            )
        if not options.has_streams and (given := options.given_among(FAILURE_SETTINGS)):
            raise Misuse(f"{given[0]} is for streams and asynchronous events, and there are none")
    if options.workers > 1:
        for there_are, what in (
            (plan.pushes, "topics and buckets"),
            (plan.schedules, "schedules"),
            (plan.rules, "rules of event buses"),
            (plan.routes, "HTTP routes"),
        ):
            if there_are:
                raise Misuse(ONE_PROCESS.format(what))


def _refuse_unused_services(plan: Plan, options: RunOptions) -> None:
    if options.schedule_state is not None and not plan.schedules and options.http is None:
        raise Misuse("--schedule-state is for schedules, and there are none")
    if options.control is not None and options.http is None:
        raise Misuse("--control is for the API of mappings and functions, and nobody serves it: add --http")
    if options.buses is not None and options.http is None and not plan.rules:
        raise Misuse("--buses is for event buses, and nobody serves them: add --http")
    fed = {rule.event_bus_name for rule in plan.rules if rule.buckets}
    if options.http is None and any(rule.event_bus_name not in fed for rule in plan.rules):
        raise Misuse(
            "a rule waits for events, and nobody could put any on its bus: add --http PORT, where "
            "`aws events put-events --endpoint-url` reaches it, or --bus-bucket"
        )
