"""A whole service with schedules, rules of event buses and HTTP routes, on virtual time or over a real port."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest

from eventmap import App, service
from eventmap.clock import utc_now
from eventmap.delivery.bus.engine import BusEngine
from eventmap.errors import ConfigurationError, InvalidParameterValue, InvalidPattern
from eventmap.rules.bus.operations import OPERATIONS
from eventmap.service import HttpApiSettings, HttpSettings, Running
from eventmap.state.buses_memory import MemoryBuses
from eventmap.state.events_memory import MemoryEvents
from eventmap.state.positions_memory import MemoryPositions
from eventmap.testing import MemorySqs

virtual = pytest.mark.virtual_time


class Kept:
    """What outlives a service."""

    def __init__(self) -> None:
        self.events = MemoryEvents()
        self.positions = MemoryPositions()
        self.buses = MemoryBuses()


@asynccontextmanager
async def running(app: App, kept: Kept | None = None, **settings: Any) -> AsyncIterator[Running]:
    kept = kept or Kept()
    chosen = service.Settings(
        events="memory",
        event_store=kept.events,
        schedule_positions=kept.positions,
        bus_store=kept.buses,
        **settings,
    )
    async with service.running(app.functions(), app.mappings(), chosen) as started:
        yield started


class Work:
    """A handler that remembers when it ran, with what."""

    def __init__(self, name: str = "work") -> None:
        self.__name__ = name
        self.runs: list[tuple[datetime, Any]] = []

    async def __call__(self, event: Any, context: Any) -> None:
        self.runs.append((utc_now(), event))


@virtual
async def test_src_66_80_a_year_of_a_nightly_job_takes_moments() -> None:
    """365 runs, at three in the morning as Berlin has it, in winter and in summer."""
    app, work = App(), Work()
    app.schedule("cron(0 3 * * ? *)", schedule_expression_timezone="Europe/Berlin")(work)

    began = time.perf_counter()
    async with running(app) as started:
        await anyio.sleep(365 * 86_400)
        counted = started.schedules()
    took_s = time.perf_counter() - began

    hours = {at.astimezone(UTC).hour for at, _ in work.runs}
    assert len(work.runs) == 365
    assert hours == {1, 2}
    assert counted is not None and (counted.runs, counted.misfires) == (365, 0)
    assert took_s < 10


@virtual
async def test_an_app_with_routes_does_not_hold_the_clock() -> None:
    """An open socket would: on virtual time none is opened unasked; what is wrong is refused all the same."""
    app, work = App(), Work()
    app.schedule("rate(1 day)")(work)
    app.http("GET /orders")(Work("read"))

    began = time.perf_counter()
    async with running(app) as started:
        await anyio.sleep(30 * 86_400 + 60)
        url = started.http_api_url
    took_s = time.perf_counter() - began

    app.http("GET /orders")(Work("again"))
    with pytest.raises(ConfigurationError, match="take the same requests"):
        async with running(app):
            pass
    assert (len(work.runs), url) == (30, None)
    assert took_s < 10


@virtual
async def test_src_78_what_a_nightly_job_is_given() -> None:
    """The scheduled event, of the place the service runs in."""
    app, work = App(), Work()
    app.schedule("rate(1 hour)", name="hourly")(work)

    async with running(app):
        await anyio.sleep(3_700)

    [(_, event)] = work.runs
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == ["arn:aws:events:us-east-1:000000000000:rule/hourly"]


@virtual
@pytest.mark.parametrize(("misfire", "made_up"), [("once", 1), ("all", 5), ("skip", 0)])
async def test_runs_that_were_missed_are_made_up_for_as_asked(misfire: str, made_up: int) -> None:
    """Nothing ran here for five nights; the policy says what becomes of them."""
    app, work, kept = App(), Work(), Kept()
    app.schedule("cron(0 3 * * ? *)", misfire=misfire)(work)

    async with running(app, kept):
        await anyio.sleep(86_400)
    before = len(work.runs)
    await anyio.sleep(5 * 86_400)
    async with running(app, kept):
        await anyio.sleep(60)
        made = len(work.runs) - before
        await anyio.sleep(86_400)

    assert (before, made) == (1, made_up)
    assert len(work.runs) == 1 + made_up + 1


@virtual
async def test_src_40_42_47_an_event_reaches_the_functions_whose_patterns_match() -> None:
    """Put by the host itself, kept until it has ended."""
    app, all_of_them, large = App(), Work("all_of_them"), Work("large")
    app.event({"source": ["shop"]})(all_of_them)
    app.event({"source": ["shop"], "detail": {"total": [{"numeric": [">", 100]}]}}, input_path="$.detail")(large)

    async with running(app) as started:
        answer = await started.put_events(
            [{"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"total": total})} for total in (50, 150)]
        )
        await started.until_idle()
        counted = started.buses()

    assert answer["FailedEntryCount"] == 0
    assert sorted(event["detail"]["total"] for _, event in all_of_them.runs) == [50, 150]
    assert [event for _, event in large.runs] == [{"total": 150}]
    assert counted is not None and (counted.events, counted.matched, counted.delivered) == (2, 3, 3)


@virtual
async def test_src_42_a_rule_made_by_api_with_a_schedule_is_run() -> None:
    """Until it is taken back; what it does is delivered as any event is."""
    app, work = App(), Work()
    app.event({"source": ["nobody"]})(work)
    kept = Kept()
    arn = "arn:aws:lambda:us-east-1:000000000000:function:work"

    async with running(app, kept) as started:
        assert started._pushes is not None and started._pushes.buses is not None
        engine = started._pushes.buses.engine

        async def call(operation: str, **members: Any) -> None:
            await engine.change(lambda definitions, now: OPERATIONS[operation](definitions, members, now))

        await call("PutRule", Name="hourly", ScheduleExpression="rate(1 hour)", State="ENABLED")
        await call("PutTargets", Rule="hourly", Targets=[{"Id": "a", "Arn": arn, "Input": '{"tick": 1}'}])
        await anyio.sleep(3 * 3_600 + 60)
        so_far = len(work.runs)
        await call("DisableRule", Name="hourly")
        await anyio.sleep(5 * 3_600)

    assert so_far == len(work.runs) == 3
    assert work.runs[0][1] == {"tick": 1}


@virtual
async def test_inv_58_the_record_of_an_end_goes_to_a_bus_of_the_service() -> None:
    """OnSuccess names the default bus; a rule hears of it."""
    app, work, listener = App(), Work(), Work("listener")
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    app.function(destination_config={"OnSuccess": {"Destination": bus}})(work)
    app.event({"source": ["shop"]})(work)
    app.event({"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Success"]})(listener)

    async with running(app) as started:
        await started.put_events([{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
        await started.until_idle()

    [(_, event)] = listener.runs
    assert event["detail"]["requestContext"]["condition"] == "Success"


@virtual
async def test_a_rule_of_a_function_that_is_not_there_is_refused() -> None:
    """As are routes and schedules: before anything is begun."""
    from eventmap.event_rule import EventRule
    from eventmap.schedule import Schedule

    app, work = App(), Work()
    app.sqs("orders")(work)
    sqs = MemorySqs()
    sqs.add_queue("orders")
    for mapping in (
        EventRule(event_pattern={"source": ["a"]}, function_name="nobody"),
        Schedule(schedule_expression="rate(1 hour)", function_name="nobody"),
    ):
        with pytest.raises(ConfigurationError, match="nobody"):
            async with service.running(
                app.functions(),
                [*app.mappings(), mapping],
                service.Settings(queue_api=sqs, events="memory"),
            ):
                pass


@virtual
async def test_two_schedules_of_one_name_are_refused() -> None:
    """Neither would know how far it is done."""
    app = App()
    app.schedule("rate(1 hour)", name="same")(Work("one"))
    app.schedule("rate(2 hours)", name="same")(Work("two"))

    with pytest.raises(ConfigurationError, match="two schedules are called 'same'"):
        async with running(app):
            pass


@virtual
async def test_without_buses_nothing_can_be_put() -> None:
    app, work, sqs = App(), Work(), MemorySqs()
    sqs.add_queue("orders")
    app.sqs("orders")(work)

    async with running(app, queue_api=sqs) as started:
        with pytest.raises(ConfigurationError, match=r"declare a rule with @app\.event"):
            await started.put_events([{"Source": "a", "DetailType": "b", "Detail": "{}"}])


def test_what_is_declared_wrongly_is_refused_where_it_is_written() -> None:
    """AWS' words for an expression, a pattern, a route."""
    app = App()
    with pytest.raises(InvalidParameterValue, match="Parameter ScheduleExpression is not valid"):
        app.schedule("cron(0 0 31 2 ? *)")
    with pytest.raises(InvalidParameterValue, match="Mars"):
        app.schedule("rate(1 hour)", schedule_expression_timezone="Mars/North")
    with pytest.raises(InvalidPattern):
        app.event({"source": "shop"})
    with pytest.raises(InvalidParameterValue, match="METHOD /path"):
        app.http("/orders")
    with pytest.raises(InvalidParameterValue, match=r"app\.function\(timeout"):
        app.http("GET /orders", timeout=3)


async def test_src_95_requests_are_answered_over_a_real_port_until_the_end() -> None:
    """Routes of two functions; a request under way when the service drains is answered."""
    app = App()
    slow_began = anyio.Event()

    @app.http("GET /orders/{id}")
    async def read(event: Any, context: Any) -> Any:
        return {"id": event["pathParameters"]["id"]}

    @app.http("POST /orders")
    @app.function(timeout=20)
    async def create(event: Any, context: Any) -> Any:
        slow_began.set()
        await anyio.sleep(0.5)
        return {"statusCode": 201, "body": event["body"]}

    answers: list[tuple[int, str]] = []

    async def post(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.post(f"{url}/orders", data="tea") as response:
            answers.append((response.status, await response.text()))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            async with running(app, http_api=HttpApiSettings()) as started:
                url = started.http_api_url
                assert url is not None
                async with aiohttp.ClientSession() as session:
                    async with session.get(f"{url}/orders/7") as response:
                        answers.append((response.status, await response.text()))
                    async with session.get(f"{url}/nothing") as response:
                        answers.append((response.status, await response.text()))
                tasks.start_soon(post, url)
                await slow_began.wait()
            requests = started.http_api_requests()

    assert answers == [(200, '{"id": "7"}'), (404, '{"message":"Not Found"}'), (201, "tea")]
    assert requests is not None and requests.requests == 3


async def test_a_port_that_is_taken_is_said_before_anything_runs() -> None:
    """And it names the option."""
    app = App()
    app.http("$default")(Work())

    with anyio.fail_after(30):
        async with running(app) as started:
            assert started.http_api_url is not None
            port = int(started.http_api_url.rpartition(":")[2])
            with pytest.raises(ConfigurationError, match=f"port {port} of 127.0.0.1 is in use.*--http-api"):
                async with running(app, http_api=HttpApiSettings(port=port)):
                    pass


async def test_a_port_without_routes_is_refused() -> None:
    app = App()
    app.schedule("rate(1 hour)")(Work())
    with pytest.raises(ConfigurationError, match=r"@app\.http"):
        async with running(app, http_api=HttpApiSettings()):
            pass


async def test_boto3_puts_events_and_finds_the_rules_of_the_code() -> None:
    """The server of a service is an endpoint of EventBridge, too; declared rules are managed ones."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    app, work = App(), Work()
    app.event({"source": ["shop"]}, name="orders")(work)

    def use(url: str) -> tuple[Any, Any, str]:
        events = boto3.client(
            "events",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}),
        )
        try:
            put = events.put_events(Entries=[{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
            rules = events.list_rules()["Rules"]
            with pytest.raises(ClientError) as refused:
                events.delete_rule(Name="orders")
            return put, rules, refused.value.response["Error"]["Code"]
        finally:
            events.close()

    with anyio.fail_after(30):
        async with running(app, http=HttpSettings()) as started:
            url = started.url
            assert url is not None
            put, rules, refused = await anyio.to_thread.run_sync(use, url)
            await started.until_idle()

    assert put["FailedEntryCount"] == 0
    assert [(rule["Name"], rule["ManagedBy"]) for rule in rules] == [("orders", "eventmap")]
    assert refused == "ManagedRuleException"
    assert len(work.runs) == 1


async def test_files_are_made_for_what_there_is_to_keep_and_found_again(tmp_path: Path) -> None:
    """A server that is only called leaves none; a rule made by API is there after a restart, declared ones anew."""
    app, work = App(), Work()
    app.event({"source": ["shop"]}, name="declared")(work)
    names = ("schedules", "buses", "control")
    files = {f"{name}_file": tmp_path / f"{name}.sqlite" for name in names}
    settings = service.Settings(http=HttpSettings(), events_file=tmp_path / "events.sqlite", **files)  # type: ignore[arg-type]

    def engine_of(started: Running) -> BusEngine:
        assert started._pushes is not None and started._pushes.buses is not None
        return started._pushes.buses.engine

    with anyio.fail_after(60):
        async with service.running(app.functions(), app.mappings(), settings) as started:
            declared = [rule.name for rule in engine_of(started).definitions.rules.values()]
        left_behind = [path.name for path in files.values() if path.exists()]
        async with service.running(app.functions(), app.mappings(), settings) as started:
            members = {"Name": "made", "EventPattern": '{"source": ["other"]}'}
            put_rule = OPERATIONS["PutRule"]
            await engine_of(started).change(lambda definitions, now: put_rule(definitions, members, now))
        made = [path.name for path in files.values() if path.exists()]
        async with service.running(app.functions(), app.mappings(), settings) as started:
            found = sorted(rule.name for rule in engine_of(started).definitions.rules.values())
            await started.put_events([{"Source": "shop", "DetailType": "Order", "Detail": "{}"}])
            await started.until_idle()

    assert (declared, left_behind) == (["declared"], [])
    assert made == ["buses.sqlite"]
    assert found == ["declared", "made"]
    assert len(work.runs) == 1
