"""Where a run finds its queues: at AWS, at another endpoint, or in an embedded emulator that ends with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from eventmap.aws.arn import parse_queue
from eventmap.aws.session import LOCAL_CREDENTIALS, LOCAL_REGION, AwsSettings, open_wire
from eventmap.cli.plan import Plan
from eventmap.cli.run_options import RunOptions
from eventmap.local.emulator import embedded_emulator
from eventmap.local.seeding import create_queues, dead_letter_name

SHORTEST_VISIBILITY_S: Final = 3  # a failed message comes back soon: someone is watching


@dataclass(frozen=True, slots=True)
class Place:
    """How queues are reached."""

    aws: AwsSettings
    is_local: bool = False  #: in an embedded emulator


@asynccontextmanager
async def open_place(options: RunOptions) -> AsyncIterator[Place]:
    """The place the options name; an embedded emulator runs as long as the block. Raises: LocalEmulatorError."""
    if not options.local:
        yield Place(AwsSettings(options.endpoint_url, options.region, options.profile))
        return
    region = options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or LOCAL_REGION
    if options.emulator_url:
        yield _local(options.emulator_url, region)
        return
    async with embedded_emulator() as endpoint_url:
        yield _local(endpoint_url, region)


def localized(plan: Plan) -> Plan:
    """The same for an emulator, where only the names of the queues count."""
    mappings = (
        replace(mapping, event_source_arn=parse_queue(mapping.event_source_arn).name) for mapping in plan.mappings
    )
    return replace(plan, mappings=tuple(mappings))


async def create_all_queues(place: Place, plan: Plan) -> None:
    """Create each mapped queue with its dead-letter queue. Raises: SourceError."""
    timeouts = {function.function_name: function.timeout for function in plan.functions}
    names = plan.queue_names
    dead_letter_names = {dead_letter_name(name) for name in names}
    async with open_wire(place.aws) as wire:
        # A mapped queue that is also another one's dead-letter queue must be made as the former.
        for name in sorted(names, key=lambda name: name not in dead_letter_names):
            needed = [timeouts[mapping.function_name] for mapping in plan.mappings if mapping.event_source_arn == name]
            await create_queues(wire, name, visibility_timeout=max(SHORTEST_VISIBILITY_S, *needed))


async def undelivered(place: Place, plan: Plan) -> int:
    """How many messages the queues of the plan still hold, whatever their state. Raises: SourceError."""
    counters = ("", "NotVisible", "Delayed")
    total = 0
    async with open_wire(place.aws) as wire:
        for name in plan.queue_names:
            attributes = await wire.get_queue_attributes(await wire.get_queue_url(name))
            total += sum(int(attributes.get(f"ApproximateNumberOfMessages{each}", 0)) for each in counters)
    return total


def _local(endpoint_url: str, region: str) -> Place:
    _lead_to(endpoint_url, region, os.environ)
    return Place(AwsSettings(endpoint_url, region, credentials=LOCAL_CREDENTIALS), is_local=True)


def _lead_to(endpoint_url: str, region: str, environment: MutableMapping[str, str]) -> None:
    """Let whatever handlers call reach the emulator, and nothing else: real credentials stay out of their sight."""
    for name in list(environment):
        if name.startswith("AWS_ENDPOINT_URL_") or name in _MISLEADING:
            del environment[name]
    environment.update(
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        AWS_ACCESS_KEY_ID=LOCAL_CREDENTIALS.access_key,
        AWS_SECRET_ACCESS_KEY=LOCAL_CREDENTIALS.secret_key,
        AWS_EC2_METADATA_DISABLED="true",
    )


_MISLEADING: Final = frozenset(
    {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
)
