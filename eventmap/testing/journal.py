"""What was asked of an in-memory service: counted always, written down on request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call that took effect. `message_ids` has "" where an entry named no message that is there."""

    at_s: float  #: seconds on the service's clock
    operation: str  #: AWS' name, e.g. `ReceiveMessage`
    queue: str
    message_ids: tuple[str, ...]


class Journal:
    """`calls` and `messages` count per operation; `log` is in order and None unless it was asked for."""

    def __init__(self, *, keeps_log: bool) -> None:
        self.calls: Counter[str] = Counter()
        self.messages: Counter[str] = Counter()  #: how many messages or entries those calls carried
        self.log: list[Call] | None = [] if keeps_log else None

    def note(self, operation: str, size: int) -> None:
        self.calls[operation] += 1
        self.messages[operation] += size

    def write(self, at_s: float, operation: str, queue: str, message_ids: Sequence[str]) -> None:
        if self.log is not None:
            self.log.append(Call(at_s, operation, queue, tuple(message_ids)))
