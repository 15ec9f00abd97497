"""From options, a configuration file and what the targets turn out to be, to functions and their mappings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventmap.app import NO_PARTIAL_ANSWER, AnyMapping
from eventmap.cli.checks import check_target
from eventmap.cli.config_file import DEFAULT_PORT, ConfigFile, ConfiguredFunction
from eventmap.cli.describe import Described, DescribedApp, DescribedHandler, describe_elsewhere, describe_here
from eventmap.cli.failure import ImportFailed, Misuse
from eventmap.cli.mappings import (
    EVENT_KINDS,
    POLLED_KINDS,
    SOURCE_FIELDS,
    STREAM_KINDS,
    Filled,
    Kind,
    Push,
    build_mapping,
    kind_of,
    source_name,
)
from eventmap.cli.run_options import SOURCES, RunOptions
from eventmap.cli.unused import refuse_unused
from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute, check_routes
from eventmap.mapping import EventSourceMapping
from eventmap.runtime import loading
from eventmap.runtime.context import Place
from eventmap.runtime.variables import process_environment
from eventmap.schedule import Schedule
from eventmap.shard import TRIM_HORIZON
from eventmap.stream_mapping import StreamMapping
from eventmap.subscription import S3Notification, SnsSubscription

_ANY_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run."""

    functions: tuple[Function, ...]
    mappings: tuple[AnyMapping, ...]
    folders: tuple[str, ...]  #: where the code lives
    notes: tuple[str, ...] = ()  #: what the user should know before it starts

    @property
    def declaration(self) -> tuple[object, ...]:
        """What a change of makes another plan, not only other code."""
        return self.functions, self.mappings

    @property
    def queues(self) -> tuple[EventSourceMapping, ...]:
        """The mappings of queues."""
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, EventSourceMapping))

    @property
    def streams(self) -> tuple[StreamMapping, ...]:
        """The mappings of streams."""
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, StreamMapping))

    @property
    def pushes(self) -> tuple[Push, ...]:
        """The subscriptions and bucket notifications."""
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, SnsSubscription | S3Notification))

    @property
    def queue_names(self) -> tuple[str, ...]:
        """Each mapped queue once."""
        return tuple(dict.fromkeys(map(source_name, self.queues)))

    @property
    def sources(self) -> tuple[Filled, ...]:
        """One mapping of each queue, stream, topic and bucket."""
        filled: tuple[Filled, ...] = (*self.queues, *self.streams, *self.pushes)
        return tuple({(kind_of(each), source_name(each)): each for each in filled}.values())

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, Schedule))

    @property
    def rules(self) -> tuple[EventRule, ...]:
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, EventRule))

    @property
    def bus_buckets(self) -> tuple[str, ...]:
        """The name of each bucket whose changes are put on a bus."""
        return tuple(dict.fromkeys(told.bucket_name for rule in self.rules for told in rule.notifications))

    @property
    def routes(self) -> tuple[HttpRoute, ...]:
        return tuple(mapping for mapping in self.mappings if isinstance(mapping, HttpRoute))

    @property
    def takes_events(self) -> bool:
        """Whether asynchronous events come from any of the mappings."""
        return bool(self.pushes or self.schedules or self.rules)


def under_options(options: RunOptions, config: ConfigFile) -> RunOptions:
    """The options, and where they say nothing what the file says. `--local` makes the file's endpoint pointless."""
    options = replace(options, region=options.region or config.region, events=options.events or config.events)
    if options.http is None and options.serves:
        options = replace(options, http=config.http.port if config.http else DEFAULT_PORT)
    if config.http is not None:
        options = replace(
            options,
            http=config.http.port if options.http is None else options.http,
            host=options.host or config.http.host,
            public_url=options.public_url or config.http.public_url,
            allow_anonymous=options.allow_anonymous or config.http.allow_anonymous,
            access_keys={**config.http.access_keys, **options.access_keys},
        )
    if options.local or options.endpoint_url or options.profile:
        return options
    return replace(options, local=config.local, endpoint_url=config.endpoint_url, profile=config.profile)


async def make_plan(options: RunOptions, config: ConfigFile) -> Plan:
    """Look at every target and put all together.

    Raises: Misuse where a target and the options do not go together; TargetNotFound, ImportFailed, ConfigurationError.
    """
    parts = [await _of_configured(each, options) for each in config.functions]
    described = [(name, target, await _describe(target, options)) for name, target in options.named_targets]
    names = Counter(each.name for given, _, each in described if isinstance(each, DescribedHandler) and not given)
    for given, target, each in described:
        if isinstance(each, DescribedApp):
            parts.append(_of_app(given, target, each, options))
        else:
            name = given or (each.name if names[each.name] == 1 else _longer_name(target, each.name))
            parts.append(_of_handler(target, name, each, options))
    functions = tuple(function for part in parts for function in part.functions)
    twice = [name for name, count in Counter(function.function_name for function in functions).items() if count > 1]
    if twice:
        raise Misuse(f"two functions are called {twice[0]!r}: give one a function_name of its own")
    plan = Plan(
        functions,
        tuple(mapping for part in parts for mapping in part.mappings),
        tuple(dict.fromkeys(folder for part in parts for folder in part.folders)),
        tuple(note for part in parts for note in part.notes),
    )
    refuse_unused(plan, options)
    try:
        check_routes(plan.routes)
    except ConfigurationError as error:
        raise Misuse(str(error)) from None
    return plan


async def one_function(options: RunOptions) -> Function:
    """The function to invoke: the target's handler, or the only one of an App.

    A module that cannot be imported is left to the invocation, whose error object tells of it.
    Raises: Misuse, TargetNotFound, ConfigurationError.
    """
    [target] = options.targets
    check_target(target)
    try:
        settings = _settings(options, {"isolation": "process"}, takes_events=False)
        described = await _describe(target, options)
    except InvalidParameterValue as error:
        raise Misuse(str(error)) from None
    except ImportFailed:
        described = DescribedHandler("handler", (), "")
    if isinstance(described, DescribedHandler):
        return Function(handler=target, function_name=described.name, **settings)
    if len(described.functions) != 1:
        names = ", ".join(function.function_name for function in described.functions)
        raise Misuse(f"{target!r} is an App with {len(described.functions)} functions ({names}): name one handler")
    [function] = described.functions
    return replace(function, **_settings(options, _declared(function), takes_events=False))


async def _of_configured(each: ConfiguredFunction, options: RunOptions) -> Plan:
    described = await _describe(each.target, options, each.settings.get("environment", {}))
    if isinstance(described, DescribedApp):
        raise Misuse(f"{options.config}: handler {each.target!r} is an App: give it as a TARGET instead")
    kinds = {mapping.kind for mapping in each.mappings}
    settings = _settings(options, each.settings, takes_events=not kinds.isdisjoint(EVENT_KINDS))
    function = Function(handler=each.target, function_name=each.name, **settings)
    notes: tuple[str, ...] = ()
    mappings = []
    for mapping in each.mappings:
        reporting = _reporting(described, mapping.kind)
        if "function_response_types" in mapping.settings:
            reporting = {}
        notes = (_note(each.name),) if reporting else notes
        begun = {"starting_position": TRIM_HORIZON} if options.local and mapping.kind in STREAM_KINDS else {}
        settings = {**begun, **mapping.settings, **reporting, "function_name": each.name}
        mappings.append(build_mapping(mapping.kind, settings))
    return Plan((function,), tuple(mappings), (described.folder,), notes)


def _of_handler(target: str, name: str, described: DescribedHandler, options: RunOptions) -> Plan:
    if not options.sources and not options.serves:
        raise Misuse(
            f"{target!r} is a handler and needs a source: add --sqs, --kinesis, --dynamodb, --sns, --s3, --schedule, "
            "--event-pattern or --http-api, or use --config; to call it by its name use `eventmap serve`"
        )
    settings = _settings(options, {"isolation": "process"}, takes_events=_gives_events(options))
    function = Function(handler=target, function_name=name, **settings)
    mappings, notes = [], []
    for kind, source in options.sources:
        reporting = {} if options.report_batch_item_failures is not None else _reporting(described, kind)
        notes += [_note(name)] if reporting else []
        named = {"function_name": name, SOURCE_FIELDS[kind]: source}
        mappings.append(build_mapping(kind, {**options.settings_of(kind), **reporting, **named}))
    return Plan((function,), tuple(mappings), (described.folder,), tuple(dict.fromkeys(notes)))


def _of_app(name: str | None, target: str, described: DescribedApp, options: RunOptions) -> Plan:
    if name is not None:
        raise Misuse(f"{target!r} is an App, whose functions have their names: leave out {name}=")
    if options.replay_from is not None:
        raise Misuse(f"{target!r} is an App, and a replay is of one stream into one handler: name one of its handlers")
    if given := options.given_among(SOURCES):
        raise Misuse(
            f"{target!r} is an App and brings its own sources: leave out {', '.join(given)}, "
            "or name one of its handlers"
        )
    if options.http_api is not None and not any(kind_of(each) == "http" for each in described.mappings):
        raise Misuse(f"--http-api serves routes, and {target!r} declares none: write @app.http('GET /path')")
    pushed = {each.function_name for each in described.mappings if kind_of(each) in EVENT_KINDS}
    functions = tuple(
        replace(function, **_settings(options, _declared(function), takes_events=function.function_name in pushed))
        for function in described.functions
    )
    return Plan(functions, described.mappings, (described.folder,))


def _reporting(described: DescribedHandler, kind: Kind) -> dict[str, Any]:
    """A handler that says it reports item failures gets a mapping that listens. Raises: Misuse where none can."""
    if not described.response_types:
        return {}
    if kind not in POLLED_KINDS:
        raise Misuse(f"{described.name} is made with @each_record, {NO_PARTIAL_ANSWER}")
    return {"function_response_types": described.response_types}


def _gives_events(options: RunOptions) -> bool:
    return any(kind in EVENT_KINDS for kind, _ in options.sources)


def _note(name: str) -> str:
    return f"{name} reports its failed records one by one, so ReportBatchItemFailures is on"


def _declared(function: Function) -> dict[str, Any]:
    """Its settings that a command line adds to, and does not replace."""
    return {"environment": function.environment, "destination_config": function.destination_config}


def _settings(options: RunOptions, declared: Mapping[str, Any], *, takes_events: bool) -> dict[str, Any]:
    """Declared settings of a function, under those given on the command line."""
    given = options.function_settings(takes_events=takes_events or options.http is not None)
    settings = {**declared, **given}
    if options.env:
        settings["environment"] = {**declared.get("environment", {}), **options.env}
    if "destination_config" in given:
        settings["destination_config"] = {**declared.get("destination_config", {}), **given["destination_config"]}
    return settings


async def _describe(target: str, options: RunOptions, variables: Mapping[str, str] | None = None) -> Described:
    if options.isolation == "inline":
        return describe_here(target, "inline")
    function = Function(
        handler=target,
        function_name="function",
        isolation="process",
        environment={**(variables or {}), **options.env},
    )
    region = options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _ANY_REGION
    place = Place(function.function_name, function_arn="", memory_limit_in_mb="128", log_stream_name="")
    environment = process_environment(function, target, place, region=region, extra={}, inherited=os.environ)
    return await describe_elsewhere(target, environment)


def _longer_name(target: str, name: str) -> str:
    """`services.mail:handler` -> `mail-handler`."""
    module = os.path.basename(loading.split(target)[0]).removesuffix(".py").rpartition(".")[2]
    return f"{module}-{name}"[:64]
