"""The test kit: time that jumps, queues in memory that keep AWS' rules, and the faults of a network.

The names are loaded when they are first used: the pytest plugin lives in this package and starts with every test run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventmap.testing.faults import FaultyQueue
    from eventmap.testing.memory_sqs import MemorySqs
    from eventmap.testing.virtual_time import VirtualTimeLoop, run_in_virtual_time

__all__ = ["FaultyQueue", "MemorySqs", "VirtualTimeLoop", "run_in_virtual_time"]

_HOMES = {
    "FaultyQueue": "eventmap.testing.faults",
    "MemorySqs": "eventmap.testing.memory_sqs",
    "VirtualTimeLoop": "eventmap.testing.virtual_time",
    "run_in_virtual_time": "eventmap.testing.virtual_time",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
