"""One worker of the fleet: reads a stream, prints a line for each batch, drains on SIGTERM.

python -m benchmarks.fleet_worker ENDPOINT_URL STREAM LEASES FAILOVER_S     (LEASES: dynamodb:TABLE or a file)
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import anyio

from eventmap import Function, StreamMapping
from eventmap.aws.session import LOCAL_CREDENTIALS, AwsSettings
from eventmap.rules.leases import LeaseSettings
from eventmap.service import Settings, running


async def tell(event: dict[str, Any], _context: object) -> None:
    """`shard id, epoch seconds`"""
    shard_id = event["Records"][0]["eventID"].partition(":")[0]
    os.write(1, f"{shard_id} {time.time()}\n".encode())


async def main(endpoint_url: str, stream: str, leases: str, failover_s: float) -> None:
    in_table = leases.startswith("dynamodb:")
    settings = Settings(
        aws=AwsSettings(endpoint_url=endpoint_url, region="us-east-1", credentials=LOCAL_CREDENTIALS),
        leases=leases if in_table else "sqlite",
        state=None if in_table else Path(leases),
        lease_settings=LeaseSettings(failover_s=failover_s),
    )
    mapping = StreamMapping(
        event_source="kinesis", event_source_arn=stream, function_name="measured", starting_position="TRIM_HORIZON"
    )
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async with running([Function(handler=tell, function_name="measured")], [mapping], settings):
            async for _ in signals:
                return


if __name__ == "__main__":
    endpoint_url, stream, leases, failover_s = sys.argv[1:]
    anyio.run(main, endpoint_url, stream, leases, float(failover_s))
