"""What a run has done so far, added up over its mappings and workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final

from eventmap.cli.mappings import is_queue, is_stream

if TYPE_CHECKING:
    from eventmap.service import Running

Counters = Mapping[str, int]

GIVEN_UP: Final = ("failed", "expired", "dropped")  # the counters of events that did not succeed in the end


@dataclass(frozen=True, slots=True)
class Tally:
    """The counters of `Statistics`, by the ARN of the source, and those of `AsynchronousStatistics`, by function.

    A value that travels as JSON.
    """

    sources: Mapping[str, Counters] = field(default_factory=dict)
    dead_letter_arns: Mapping[str, str] = field(default_factory=dict)  #: where a queue's poison goes, if anywhere
    functions: Mapping[str, Counters] = field(default_factory=dict)  #: of those that take asynchronous events
    requests: int | None = None  #: to HTTP routes; None = there are none
    left: int = 0  #: records and events whose end was not awaited when the drain budget was over
    owed: int = 0  #: asynchronous events that have not ended; known at the end

    @property
    def has_queues(self) -> bool:
        return any(map(is_queue, self.sources))

    @property
    def has_streams(self) -> bool:
        return any(map(is_stream, self.sources))

    @property
    def noun(self) -> str:
        """What one of them is called."""
        if not self.sources and self.functions:
            return "event"
        return "record" if self.has_streams else "message"

    def total(self, counter: str) -> int:
        """Of all sources."""
        return sum(counters[counter] for counters in self.sources.values())

    def events(self, *counters: str) -> int:
        """Those counters of all functions' asynchronous events together."""
        return sum(each[counter] for each in self.functions.values() for counter in counters)

    def ended(self) -> Tally:
        """The same once nothing of it runs any more."""
        now = {"in_flight": 0, "running": 0, "shards": 0}
        sources = {arn: {**counters, **now} for arn, counters in self.sources.items()}
        return replace(self, sources=sources)


def tally_of(running: Running) -> Tally:
    """The counters of a service as they are now."""
    sources: dict[str, Counters] = {}
    for (arn, _), statistics in running.statistics().items():
        sources[arn] = _added(sources.get(arn, {}), asdict(statistics))
    arns = {queue.arn: queue.dead_letter_arn for queue in running.queues() if queue.dead_letter_arn}
    functions = {
        name: {counter: value for counter, value in asdict(statistics).items() if counter != "age_s"}
        for name, statistics in running.asynchronous().items()
    }
    http = running.http_api_requests()
    return Tally(sources, arns, functions, requests=None if http is None else http.requests)


def added_up(tallies: Iterable[Tally]) -> Tally:
    """All of them as one; workers take no asynchronous events."""
    sources: dict[str, Counters] = {}
    arns: dict[str, str] = {}
    left = 0
    for tally in tallies:
        left += tally.left
        arns |= tally.dead_letter_arns
        for arn, counters in tally.sources.items():
            sources[arn] = _added(sources.get(arn, {}), counters)
    return Tally(sources, arns, left=left)


def _added(some: Counters, more: Counters) -> Counters:
    return {name: some.get(name, 0) + count for name, count in more.items()}
