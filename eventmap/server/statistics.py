"""Live counters of the server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class ServerStatistics:
    """What came in and what became of it; plain numbers, always current."""

    requests: int = 0  #: whose headers were complete
    invocations: int = 0  #: synchronous ones that were answered with 200, function errors included
    accepted: int = 0  #: asynchronous ones, answered with 202
    pushes: int = 0  #: requests a receiver took
    pushes_refused: int = 0  #: requests a receiver answered with 4xx or 5xx
    api_calls: int = 0  #: of the APIs of mappings, functions and buses, answered with 2xx
    api_calls_refused: int = 0  #: of those, answered with 4xx or 5xx
    refused: Counter[str] = field(default_factory=Counter)  #: all others, by why
