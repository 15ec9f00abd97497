"""What a run tells at its start: where it looks, who calls whom, and what may keep it from ending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from eventmap.cli.mappings import name_of_arn, source_name
from eventmap.cli.output import Output
from eventmap.cli.place import Place
from eventmap.cli.plan import Plan
from eventmap.cli.run_options import RunOptions
from eventmap.http_route import DEFAULT
from eventmap.service import Running

_WAYS: Final = {"http": "over HTTP", "queue": "over a queue of its own"}


def tell_start(options: RunOptions, output: Output, place: Place, plan: Plan, running: Running) -> None:
    where = "the embedded emulator" if place.is_local else place.aws.endpoint_url or "AWS"
    if polled := ", ".join(f"{name_of_arn(arn)} -> {name}" for arn, name in running.statistics()):
        output.tell(f"polling at {where}: {polled}. Ctrl-C drains")
    pushed = ", ".join(f"{name_of_arn(arn)} -> {name} ({_WAYS[way]})" for arn, name, way in running.pushes())
    if pushed:
        output.tell(f"subscribed at {where}: {pushed}. Ctrl-C drains")
    for line in (*_times(plan, running), *_routes(plan, running), *_rules(plan)):
        output.tell(line)
    if running.url is not None:
        output.tell(f"serving at {running.url}. Ctrl-C drains")
        if place.is_local:
            output.tell(f"the embedded emulator is at {place.aws.endpoint_url}")
        for line in _addresses(running, options.public_url, plan):
            output.tell(line)
    if options.until_empty:
        for line in _why_not_empty(plan, running):
            output.tell(line)
    for mapping in plan.streams:
        endless = mapping.maximum_retry_attempts == mapping.maximum_record_age_in_seconds == -1
        if options.until_caught_up and endless:
            output.tell(
                f"{source_name(mapping)} has neither --maximum-retry-attempts nor --maximum-record-age-in-seconds: a "
                "record that always fails blocks its shard until it expires"
            )


def _times(plan: Plan, running: Running) -> Iterator[str]:
    """When each schedule is next due, as far as that is known by now."""
    next_runs = running.next_runs()
    for schedule in plan.schedules:
        due_at = next_runs.get(schedule.schedule_name)
        when = "" if due_at is None else f", next at {datetime.fromtimestamp(due_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield f"scheduled: {schedule.schedule_expression} -> {schedule.function_name}{when}"


def _routes(plan: Plan, running: Running) -> Iterator[str]:
    for route in plan.routes:
        stage = "" if route.stage == DEFAULT else f"/{route.stage}"
        shown = (
            f"ANY {running.http_api_url}{stage}"
            if route.route == DEFAULT
            else (f"{route.method} {running.http_api_url}{stage}{route.path}")
        )
        yield f"{shown} -> {route.function_name}"


def _rules(plan: Plan) -> Iterator[str]:
    for rule in plan.rules:
        yield f"events of bus {rule.event_bus_name} by rule {rule.rule_name} -> {rule.function_name}"


def _addresses(running: Running, public_url: str | None, plan: Plan) -> Iterator[str]:
    """Where each function is called, and where SNS calls those that are subscribed over HTTP."""
    for function in plan.functions:
        yield f"POST {running.url}/2015-03-31/functions/{function.function_name}/invocations"
    for name in dict.fromkeys(name for _, name, way in running.pushes() if way == "http"):
        yield f"POST {public_url or running.url}/sns/{name}"


def _why_not_empty(plan: Plan, running: Running) -> Iterator[str]:
    for queue in running.queues():
        if queue.maximum_receive_count is None:
            yield (
                f"{name_of_arn(queue.arn)} has no redrive policy: it is not empty before a message that always fails "
                "has expired"
            )
    pushed = {each.function_name for each in (*plan.pushes, *plan.rules)}
    if any(each.maximum_retry_attempts for each in plan.functions if each.function_name in pushed):
        yield "an event that fails is tried again after 1 and 2 minutes; --maximum-retry-attempts 0 gives it up at once"
