"""One side of the pump benchmark, in a process of its own: eventmap, or the loop one would write by hand.

python -m benchmarks.pump_side pump|loop QUEUE_URL CONCURRENCY WARM_UP_S SECONDS     prints a line of JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter, process_time

import aioboto3
import anyio

from benchmarks.handlers import nothing_async
from benchmarks.memory_queue import statistics_of
from eventmap import App


@asynccontextmanager
async def pump(queue_url: str, concurrency: int) -> AsyncIterator[Callable[[], int]]:
    """eventmap as a library, on its defaults; yields how many messages are deleted so far."""
    app = App()
    app.function(reserved_concurrent_executions=concurrency)(nothing_async)
    app.sqs(queue_url)(nothing_async)
    async with app.running() as service:
        statistics = statistics_of(service)
        yield lambda: statistics.done


@asynccontextmanager
async def loop(queue_url: str, concurrency: int) -> AsyncIterator[Callable[[], int]]:
    """Receive ten, call the handler, delete the ten: as many such loops as eventmap may run invocations."""
    done = 0

    async def work() -> None:
        nonlocal done
        while True:
            answer = await sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=20,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                continue
            await nothing_async({"Records": messages}, None)
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages)
            ]
            deleted = await sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)
            done += len(deleted["Successful"])

    async with aioboto3.Session().client("sqs") as sqs, anyio.create_task_group() as tasks:
        for _ in range(concurrency):
            tasks.start_soon(work)
        yield lambda: done
        tasks.cancel_scope.cancel()


async def main(side: str, queue_url: str, concurrency: int, warm_up_s: float, seconds: float) -> None:
    sides = {"pump": pump, "loop": loop}
    async with sides[side](queue_url, concurrency) as done:
        await anyio.sleep(warm_up_s)
        before, started, cpu = done(), perf_counter(), process_time()
        await anyio.sleep(seconds)
        messages, took, cpu = done() - before, perf_counter() - started, process_time() - cpu
    print(json.dumps({"messages_per_s": messages / took, "cpu_us_per_message": cpu / max(messages, 1) * 1e6}))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
