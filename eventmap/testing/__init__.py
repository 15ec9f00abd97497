"""The test kit: time that jumps, queues, topics and streams in memory that keep AWS' rules, a network's faults.

The names are loaded when they are first used: the pytest plugin lives in this package and starts with every test run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventmap.testing.cognito import cognito_trigger
    from eventmap.testing.faults import FaultyQueue
    from eventmap.testing.http_client import HttpAnswer, HttpClient, http_api
    from eventmap.testing.memory_dynamodb import MemoryDynamoDb
    from eventmap.testing.memory_kinesis import MemoryKinesis
    from eventmap.testing.memory_leases import MemoryLeaseTable
    from eventmap.testing.memory_s3 import MemoryS3
    from eventmap.testing.memory_sns import MemorySns
    from eventmap.testing.memory_sqs import MemorySqs
    from eventmap.testing.memory_target import MemoryTarget
    from eventmap.testing.sns_signing import SigningAuthority
    from eventmap.testing.stream_faults import FaultyStream
    from eventmap.testing.virtual_time import VirtualTimeLoop, run_in_virtual_time

__all__ = [
    "FaultyQueue",
    "FaultyStream",
    "HttpAnswer",
    "HttpClient",
    "MemoryDynamoDb",
    "MemoryKinesis",
    "MemoryLeaseTable",
    "MemoryS3",
    "MemorySns",
    "MemorySqs",
    "MemoryTarget",
    "SigningAuthority",
    "VirtualTimeLoop",
    "cognito_trigger",
    "http_api",
    "run_in_virtual_time",
]

_HOMES = {
    "FaultyQueue": "eventmap.testing.faults",
    "FaultyStream": "eventmap.testing.stream_faults",
    "HttpAnswer": "eventmap.testing.http_client",
    "HttpClient": "eventmap.testing.http_client",
    "MemoryDynamoDb": "eventmap.testing.memory_dynamodb",
    "MemoryKinesis": "eventmap.testing.memory_kinesis",
    "MemoryLeaseTable": "eventmap.testing.memory_leases",
    "MemoryS3": "eventmap.testing.memory_s3",
    "MemorySns": "eventmap.testing.memory_sns",
    "MemorySqs": "eventmap.testing.memory_sqs",
    "MemoryTarget": "eventmap.testing.memory_target",
    "SigningAuthority": "eventmap.testing.sns_signing",
    "VirtualTimeLoop": "eventmap.testing.virtual_time",
    "cognito_trigger": "eventmap.testing.cognito",
    "http_api": "eventmap.testing.http_client",
    "run_in_virtual_time": "eventmap.testing.virtual_time",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
