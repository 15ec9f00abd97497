"""`--local`: the embedded emulator drained by eventmap, each invocation in a process; filled before the clock starts.

Through the library, not the command line, so that neither the start of the worker nor the sending is in the figure.
"""

from __future__ import annotations

import json
from time import perf_counter

import anyio

from benchmarks.figure import AtLeast, Figure, number
from benchmarks.memory_queue import statistics_of, until_done
from benchmarks.raw_client import drain
from benchmarks.stub import BODY
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings, open_sqs
from eventmap.function import Function
from eventmap.local.emulator import embedded_emulator
from eventmap.local.seeding import create_queues, send_lines
from eventmap.mapping import EventSourceMapping
from eventmap.service import Settings, running

_VISIBILITY_TIMEOUT_S = 60
_CONNECTIONS = 10  # as many as eventmap runs invocations


def measure(*, quick: bool) -> list[Figure]:
    messages, rounds = (200, 1) if quick else (10_000, 3)
    ours, raw = [], []
    for _ in range(rounds):
        drained, drained_raw = anyio.run(_round, messages)
        ours.append(drained)
        raw.append(drained_raw)
    return [
        Figure(
            benchmark="local",
            name=f"--local drain of {messages:,} messages, process isolation",
            unit="messages/s",
            rounds=tuple(ours),
            target=AtLeast(1_000),
            ceiling=f"the emulator alone {number(max(raw))} messages/s, {_CONNECTIONS} raw connections",
            note="App.running's own service on the embedded emulator",
        )
    ]


async def _round(messages: int) -> tuple[float, float]:
    """(eventmap, raw client), messages a second; each on a fresh emulator with a full queue."""
    return await _eventmap(messages), await _raw(messages)


async def _eventmap(messages: int) -> float:
    async with embedded_emulator() as endpoint_url:
        queue_url, aws = await _fill(endpoint_url, messages)
        function = Function(handler="benchmarks.handlers:nothing", function_name="measured", isolation="process")
        mapping = EventSourceMapping(event_source_arn=queue_url, function_name="measured")
        started = perf_counter()
        async with running([function], [mapping], Settings(aws=aws)) as service:
            await until_done(service, messages)
            took_s = perf_counter() - started
            assert statistics_of(service).possible_duplicates == 0
    return messages / took_s


async def _raw(messages: int) -> float:
    async with embedded_emulator() as endpoint_url:
        queue_url, _ = await _fill(endpoint_url, messages)
        started = perf_counter()
        deleted = await drain(endpoint_url, queue_url, connections=_CONNECTIONS)
        assert deleted == messages, deleted
        return messages / (perf_counter() - started)


async def _fill(endpoint_url: str, messages: int) -> tuple[str, AwsSettings]:
    aws = AwsSettings(endpoint_url=endpoint_url, credentials=LOCAL_CREDENTIALS)
    async with open_sqs(aws) as wire:
        queue = await create_queues(wire, "orders", visibility_timeout=_VISIBILITY_TIMEOUT_S)
        await send_lines(wire, queue.url, [json.dumps({"body": BODY})] * messages)
    return queue.url, aws
