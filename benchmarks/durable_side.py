"""The whole service of the durable benchmark, in a process of its own.

python -m benchmarks.durable_side FOLDER     prints its port, serves until its standard input is closed
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import anyio.to_thread

from eventmap import service
from eventmap.function import Function


async def main(folder: str) -> None:
    function = Function(
        handler="benchmarks.handlers:nothing_async", function_name="measured", reserved_concurrent_executions=16
    )
    settings = service.Settings(http=service.HttpSettings(), events_file=Path(folder, "events.sqlite"))
    async with service.running([function], [], settings) as running:
        assert running.url is not None
        print(running.url.rpartition(":")[2], flush=True)
        await anyio.to_thread.run_sync(lambda: os.read(0, 1))


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
