"""Calls per 1,000 messages, which is what a queue costs: receives, deletes and visibility changes together."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import anyio

from benchmarks.figure import AtMost, Figure
from benchmarks.handlers import nothing_async
from benchmarks.memory_queue import filled, served, until_done
from benchmarks.stub_process import running_stub
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings
from eventmap.function import Function, Handler
from eventmap.mapping import EventSourceMapping
from eventmap.service import Settings, running

_COUNTED = ("ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
_CEILING = "200: ten messages to a receive, ten to a delete"


def measure(*, quick: bool) -> list[Figure]:
    messages = 1_000 if quick else 10_000
    figures = []
    for batch_size in (1, 10, 1_000):
        for where, count in (("stub over HTTP", _on_stub), ("in memory", _in_memory)):
            calls = anyio.run(count, messages, batch_size, nothing_async)
            figures.append(_figure(f"batch {batch_size:,}, {where}", calls, messages, AtMost(205)))
    for batch_size in (1, 10):
        # Invocations of unequal length free their slots one by one, which is where full receives are hardest to have.
        calls = anyio.run(_in_memory, messages // 5, batch_size, _uneven)
        figures.append(_figure(f"batch {batch_size}, in memory, handler of 5–25 ms", calls, messages // 5, None))
    return figures


def _figure(case: str, calls: Mapping[str, int], messages: int, target: AtMost | None) -> Figure:
    per_thousand = {name: calls.get(name, 0) * 1_000 / messages for name in _COUNTED}
    receives, deletes, changes = (f"{value:.3g}" for value in per_thousand.values())
    return Figure(
        benchmark="calls",
        name=f"calls per 1,000 messages, {case}",
        unit="calls",
        rounds=(sum(per_thousand.values()),),
        target=target,
        ceiling=_CEILING,
        note=f"receives {receives}, deletes {deletes}, visibility {changes}",
    )


async def _uneven(event: Any, context: Any) -> None:
    await anyio.sleep(random.uniform(0.005, 0.025))


def _settings_of(batch_size: int) -> dict[str, Any]:
    window_s = 1 if batch_size > 10 else 0
    return {"batch_size": batch_size, "maximum_batching_window_in_seconds": window_s}


async def _on_stub(messages: int, batch_size: int, handler: Handler) -> Mapping[str, int]:
    with running_stub(messages) as stub:
        function = Function(handler=handler, function_name="measured")
        mapping = EventSourceMapping(
            event_source_arn=stub.queue_url, function_name="measured", **_settings_of(batch_size)
        )
        aws = AwsSettings(endpoint_url=stub.endpoint_url, credentials=LOCAL_CREDENTIALS)
        async with running([function], [mapping], Settings(aws=aws)) as service:
            await until_done(service, messages)
            return stub.calls()


async def _in_memory(messages: int, batch_size: int, handler: Handler) -> Mapping[str, int]:
    sqs = filled(messages)
    async with served(sqs, handler, **_settings_of(batch_size)) as service:
        await until_done(service, messages)
        return dict(sqs.journal.calls)
