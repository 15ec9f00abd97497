"""What a run has done so far, added up over its mappings and workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventmap.service import Running

Counters = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counters of `Statistics`, by queue ARN; a value that travels as JSON."""

    queues: Mapping[str, Counters] = field(default_factory=dict)
    dead_letter_arns: Mapping[str, str] = field(default_factory=dict)  #: where its poison goes, if it has a place
    left: int = 0  #: messages whose end was not awaited when the drain budget was over

    def total(self, counter: str) -> int:
        return sum(counters[counter] for counters in self.queues.values())

    def ended(self) -> Tally:
        """The same once nothing of it runs any more."""
        queues = {arn: {**counters, "in_flight": 0, "running": 0} for arn, counters in self.queues.items()}
        return replace(self, queues=queues)


def tally_of(running: Running) -> Tally:
    """The counters of a service as they are now."""
    queues: dict[str, Counters] = {}
    for (arn, _), statistics in running.statistics().items():
        queues[arn] = _added(queues.get(arn, {}), asdict(statistics))
    arns = {queue.arn: queue.dead_letter_arn for queue in running.queues() if queue.dead_letter_arn}
    return Tally(queues, arns)


def added_up(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    queues: dict[str, Counters] = {}
    arns: dict[str, str] = {}
    left = 0
    for tally in tallies:
        left += tally.left
        arns |= tally.dead_letter_arns
        for arn, counters in tally.queues.items():
            queues[arn] = _added(queues.get(arn, {}), counters)
    return Tally(queues, arns, left)


def _added(some: Counters, more: Counters) -> Counters:
    return {name: some.get(name, 0) + count for name, count in more.items()}
