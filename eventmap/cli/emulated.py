"""The sources of a plan in an embedded emulator: under their names alone, made before the run, counted after it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final, assert_never

from eventmap.app import AnyMapping
from eventmap.aws.arn import parse_queue
from eventmap.aws.objects import open_objects
from eventmap.aws.session import LOCAL_REGION, open_dynamodb, open_kinesis, open_sqs
from eventmap.aws.sns import open_topics
from eventmap.aws.sqs import SqsWire
from eventmap.cli.failure import Misuse
from eventmap.cli.mappings import name_of_arn, names_of, source_name
from eventmap.cli.place import Place
from eventmap.cli.plan import Plan
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.local.items import TableKey
from eventmap.local.seeding import create_queues, dead_letter_name
from eventmap.local.stream_seeding import create_stream, create_table
from eventmap.mapping import EventSourceMapping
from eventmap.schedule import Schedule
from eventmap.stream_mapping import StreamMapping
from eventmap.subscription import S3Notification, SnsSubscription

SHORTEST_VISIBILITY_S: Final = 3  # a failed message comes back soon: someone is watching
_ACCOUNT: Final = "000000000000"  # the emulator's


def localized(plan: Plan, place: Place) -> Plan:
    """The same for an emulator, where only the names of sources and destinations count.

    Raises: Misuse for a destination that is no queue, nor a function of the plan.
    """
    names = {function.function_name for function in plan.functions}
    return replace(
        plan,
        functions=tuple(_localized_function(function, place, names) for function in plan.functions),
        mappings=tuple(_localized(mapping, place) for mapping in plan.mappings),
    )


def report_names(plan: Plan) -> tuple[str, ...]:
    """Each queue that takes reports of discarded batches once, unless it is mapped itself."""
    arns = (mapping.on_failure for mapping in plan.streams if mapping.on_failure)
    return tuple(name for name in dict.fromkeys(map(name_of_arn, arns)) if name not in plan.queue_names)


def record_names(plan: Plan) -> tuple[str, ...]:
    """The same for those that take what became of asynchronous events."""
    named = [arn for function in plan.functions for arn in _destinations(function)]
    named += [rule.dead_letter_arn for rule in plan.rules if rule.dead_letter_arn]
    arns = (arn for arn in named if arn.split(":")[2] == "sqs")
    others = {*plan.queue_names, *report_names(plan)}
    return tuple(name for name in dict.fromkeys(map(name_of_arn, arns)) if name not in others)


async def create_sources(place: Place, plan: Plan, key: TableKey) -> None:
    """Create each mapped queue with its dead-letter queue, each stream, each table with that partition key, each topic
    and bucket, and the queues that are destinations. Raises: SourceError, LocalEmulatorError.
    """
    destinations = (*report_names(plan), *record_names(plan))
    if plan.queues or destinations:
        async with open_sqs(place.aws) as wire:
            await _create_queues(wire, plan)
            for name in destinations:
                await wire.create_queue(name, {})
    if names := names_of("kinesis", plan.mappings):
        async with open_kinesis(place.aws) as kinesis:
            for name in names:
                await create_stream(kinesis, name)
    if names := names_of("dynamodb", plan.mappings):
        async with open_dynamodb(place.aws) as dynamodb:
            for name in names:
                await create_table(dynamodb.tables, name, key)
    if names := names_of("sns", plan.mappings):
        async with open_topics(place.aws) as topics:
            for name in names:
                await topics.create_topic(name)
    if names := list(dict.fromkeys([*names_of("s3", plan.mappings), *plan.bus_buckets])):
        async with open_objects(place.aws) as objects:
            for name in names:
                await objects.create_bucket(name)


async def undelivered(place: Place, plan: Plan) -> int:
    """How many messages the queues of the plan still hold, whatever their state. Raises: SourceError."""
    if not plan.queues:
        return 0
    counters = ("", "NotVisible", "Delayed")
    total = 0
    async with open_sqs(place.aws) as wire:
        for name in plan.queue_names:
            attributes = await wire.get_queue_attributes(await wire.get_queue_url(name))
            total += sum(int(attributes.get(f"ApproximateNumberOfMessages{each}", 0)) for each in counters)
    return total


async def _create_queues(wire: SqsWire, plan: Plan) -> None:
    timeouts = {function.function_name: function.timeout for function in plan.functions}
    names = plan.queue_names
    dead_letter_names = {dead_letter_name(name) for name in names}
    # A mapped queue that is also another one's dead-letter queue must be made as the former.
    for name in sorted(names, key=lambda name: name not in dead_letter_names):
        needed = [timeouts[mapping.function_name] for mapping in plan.queues if mapping.event_source_arn == name]
        await create_queues(wire, name, visibility_timeout=max(SHORTEST_VISIBILITY_S, *needed))


def _localized(mapping: AnyMapping, place: Place) -> AnyMapping:
    match mapping:
        case EventSourceMapping():
            return replace(mapping, event_source_arn=source_name(mapping))
        case SnsSubscription():
            return replace(mapping, topic_arn=source_name(mapping))
        case S3Notification():
            return replace(mapping, bucket=source_name(mapping))
        case StreamMapping():
            mapping = replace(mapping, event_source_arn=source_name(mapping))
            if mapping.on_failure is None:
                return mapping
            arn = _localized_arn(mapping.on_failure, place, ())
            return replace(mapping, destination_config={"OnFailure": {"Destination": arn}})
        case EventRule():
            mapping = replace(mapping, buckets=tuple(told.bucket_name for told in mapping.notifications))
            if mapping.dead_letter_arn is None:
                return mapping
            return replace(mapping, dead_letter_arn=_localized_arn(mapping.dead_letter_arn, place, ()))
        case Schedule() | HttpRoute():
            return mapping
        case _:
            assert_never(mapping)


def _localized_function(function: Function, place: Place, names: Collection[str]) -> Function:
    outcomes = {"OnSuccess": function.on_success, "OnFailure": function.on_failure}
    config = {
        outcome: {"Destination": _localized_arn(arn, place, names)}
        for outcome, arn in outcomes.items()
        if arn is not None
    }
    arn = function.dead_letter_arn
    dead_letters = {} if arn is None else {"TargetArn": _localized_arn(arn, place, ())}
    return replace(function, destination_config=config, dead_letter_config=dead_letters)


def _localized_arn(arn: str, place: Place, functions: Collection[str]) -> str:
    """The ARN it has in the emulator, or as a function of the plan here. Raises: Misuse for other destinations."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    if service == "sqs":
        resource = parse_queue(arn).name
    elif service != "lambda" or resource.split(":")[1] not in functions:
        or_function = " or a function that runs here" if functions else ""
        raise Misuse(f"with --local a destination must be a queue{or_function}, not {arn}")
    return f"arn:aws:{service}:{place.aws.region or LOCAL_REGION}:{_ACCOUNT}:{resource}"


def _destinations(function: Function) -> Iterator[str]:
    for arn in (function.on_success, function.on_failure, function.dead_letter_arn):
        if arn is not None:
            yield arn
