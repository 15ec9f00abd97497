"""From options, a configuration file and what the targets turn out to be, to functions and their mappings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventmap.aws.arn import parse_queue
from eventmap.cli.config_file import ConfigFile, ConfiguredFunction
from eventmap.cli.describe import Described, DescribedApp, DescribedHandler, describe_elsewhere, describe_here
from eventmap.cli.failure import ImportFailed, Misuse
from eventmap.cli.run_options import RunOptions
from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.function import Function
from eventmap.mapping import EventSourceMapping, mapping_of
from eventmap.rules.filtering import SqsFilter
from eventmap.runtime import loading
from eventmap.runtime.context import Place
from eventmap.runtime.variables import process_environment

_ANY_REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run."""

    functions: tuple[Function, ...]
    mappings: tuple[EventSourceMapping, ...]
    folders: tuple[str, ...]  #: where the code lives
    notes: tuple[str, ...] = ()  #: what the user should know before it starts

    @property
    def declaration(self) -> tuple[object, ...]:
        """What a change of makes another plan, not only other code."""
        return self.functions, self.mappings

    @property
    def queue_names(self) -> tuple[str, ...]:
        """Each mapped queue once."""
        return tuple(dict.fromkeys(parse_queue(mapping.event_source_arn).name for mapping in self.mappings))


def check(options: RunOptions, config: ConfigFile) -> None:
    """Refuse what cannot be right whatever the targets are. Raises: Misuse."""
    if not options.targets and not config.functions:
        raise Misuse("nothing to run: give a TARGET, module:attribute, or --config with [functions.NAME] tables")
    if options.mapping_settings and not options.sqs:
        names = ", ".join(f"--{name}" for name in _option_names(options))
        raise Misuse(f"{names} {'is' if ',' not in names else 'are'} for --sqs queues, and none is given")
    if options.sqs and not options.targets:
        raise Misuse("--sqs maps queues to a TARGET, and none is given: queues of --config functions are in that file")
    for name in ("endpoint_url", "profile"):
        if options.local and getattr(options, name):
            raise Misuse(f"--local brings its own endpoint and credentials: leave out --{name.replace('_', '-')}")
    if options.endpoint_url and not options.endpoint_url.startswith(("http://", "https://")):
        raise Misuse(f"--endpoint-url {options.endpoint_url!r} is not of the form http(s)://HOST[:PORT]")
    if options.watch and options.isolation == "inline":
        raise Misuse("--watch cannot reload inline handlers: a module cannot be imported anew safely; use process")
    try:
        for target in options.targets:
            check_target(target)
        for queue in options.sqs:
            parse_queue(queue)
            mapping_of({"event_source_arn": queue, "function_name": "function", **options.mapping_settings})
        SqsFilter(options.filter)
        Function(handler="module:handler", function_name="function", **_settings(options, {"isolation": "process"}))
    except ConfigurationError as error:
        raise Misuse(str(error)) from None


def check_target(target: str) -> None:
    """Raises: Misuse for what leads nowhere by its form alone."""
    try:
        loading.split(target)
    except loading.MalformedTarget:
        raise Misuse(
            f"target {target!r} is not of the form needed: module:attribute or path/to/file.py:attribute"
        ) from None


def under_options(options: RunOptions, config: ConfigFile) -> RunOptions:
    """The options, and where they say nothing what the file says. `--local` makes the file's endpoint pointless."""
    options = replace(options, region=options.region or config.region)
    if options.local or options.endpoint_url or options.profile:
        return options
    return replace(options, local=config.local, endpoint_url=config.endpoint_url, profile=config.profile)


async def make_plan(options: RunOptions, config: ConfigFile) -> Plan:
    """Look at every target and put all together.

    Raises: Misuse where a target and the options do not go together; TargetNotFound, ImportFailed, ConfigurationError.
    """
    parts = [await _of_configured(each, options) for each in config.functions]
    described = [(target, await _describe(target, options)) for target in options.targets]
    names = Counter(each.name for _, each in described if isinstance(each, DescribedHandler))
    for target, each in described:
        if isinstance(each, DescribedApp):
            parts.append(_of_app(target, each, options))
        else:
            name = each.name if names[each.name] == 1 else _longer_name(target, each.name)
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
    if not plan.mappings:
        raise Misuse("nothing to poll: no function is mapped to a queue")
    return plan


async def one_function(options: RunOptions) -> Function:
    """The function to invoke: the target's handler, or the only one of an App.

    A module that cannot be imported is left to the invocation, whose error object tells of it.
    Raises: Misuse, TargetNotFound, ConfigurationError.
    """
    [target] = options.targets
    check_target(target)
    try:
        settings = _settings(options, {"isolation": "process"})
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
    return replace(function, **_settings(options, {"environment": function.environment}))


async def _of_configured(each: ConfiguredFunction, options: RunOptions) -> Plan:
    described = await _describe(each.target, options, each.settings.get("environment", {}))
    if isinstance(described, DescribedApp):
        raise Misuse(f"{options.config}: handler {each.target!r} is an App: give it as a TARGET instead")
    function = Function(handler=each.target, function_name=each.name, **_settings(options, each.settings))
    notes: tuple[str, ...] = ()
    mappings = []
    for settings in each.mappings:
        reporting = {} if "function_response_types" in settings else _reporting(described)
        notes = (_note(each.name),) if reporting else notes
        mappings.append(mapping_of({**settings, **reporting, "function_name": each.name}))
    return Plan((function,), tuple(mappings), (described.folder,), notes)


def _of_handler(target: str, name: str, described: DescribedHandler, options: RunOptions) -> Plan:
    if not options.sqs:
        raise Misuse(f"{target!r} is a handler and needs a queue: add --sqs NAME, or use --config")
    function = Function(handler=target, function_name=name, **_settings(options, {"isolation": "process"}))
    settings = options.mapping_settings
    reporting = {} if "function_response_types" in settings else _reporting(described)
    mappings = tuple(
        mapping_of({"event_source_arn": queue, "function_name": name, **settings, **reporting}) for queue in options.sqs
    )
    return Plan((function,), mappings, (described.folder,), (_note(name),) if reporting else ())


def _of_app(target: str, described: DescribedApp, options: RunOptions) -> Plan:
    if options.sqs:
        raise Misuse(f"{target!r} is an App and brings its own queues: leave out --sqs, or name one of its handlers")
    functions = tuple(
        replace(function, **_settings(options, {"environment": function.environment}))
        for function in described.functions
    )
    return Plan(functions, described.mappings, (described.folder,))


def _reporting(described: DescribedHandler) -> dict[str, Any]:
    """A handler that says it reports item failures gets a mapping that listens."""
    return {"function_response_types": described.response_types} if described.response_types else {}


def _note(name: str) -> str:
    return f"{name} reports its failed records one by one, so ReportBatchItemFailures is on"


def _settings(options: RunOptions, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Declared settings of a function, under those given on the command line."""
    settings = {**declared, **options.function_settings}
    if options.env:
        settings["environment"] = {**declared.get("environment", {}), **options.env}
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
    place = Place(function.function_name, invoked_function_arn="", memory_limit_in_mb="128", log_stream_name="")
    environment = process_environment(function, target, place, region=region, extra={}, inherited=os.environ)
    return await describe_elsewhere(target, environment)


def _longer_name(target: str, name: str) -> str:
    """`services.mail:handler` -> `mail-handler`."""
    module = os.path.basename(loading.split(target)[0]).removesuffix(".py").rpartition(".")[2]
    return f"{module}-{name}"[:64]


def _option_names(options: RunOptions) -> list[str]:
    """The mapping options that were given, as they are typed."""
    shown = {"filter_criteria": "filter", "function_response_types": "report-batch-item-failures"}
    return [shown.get(name, name.replace("_", "-")) for name in options.mapping_settings]
