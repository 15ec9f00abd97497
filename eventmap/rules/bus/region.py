"""Region: where the buses are, and what everything there is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eventmap.errors import BusRefusal
from eventmap.rules.partition import partition

DEFAULT_BUS: Final = "default"


@dataclass(frozen=True, slots=True)
class Region:
    """A region of one account; it makes and reads ARNs."""

    name: str
    account_id: str

    def bus_arn(self, bus: str) -> str:
        return f"{self._prefix}event-bus/{bus}"

    def rule_arn(self, bus: str, rule: str) -> str:
        """Without the bus for a rule of the default one, as in AWS."""
        return f"{self._prefix}rule/{rule}" if bus == DEFAULT_BUS else f"{self._prefix}rule/{bus}/{rule}"

    def archive_arn(self, archive: str) -> str:
        return f"{self._prefix}archive/{archive}"

    def replay_arn(self, replay: str) -> str:
        return f"{self._prefix}replay/{replay}"

    def bus_of(self, text: str | None) -> str:
        """The name of a bus that a caller names, or gives the ARN of; None = the default one.

        Raises: BusRefusal for an ARN of elsewhere. Whether there is such a bus is not asked.
        """
        if text is None:
            return DEFAULT_BUS
        if not text.startswith("arn:"):
            return text
        if (name := self.local_bus(text)) is None:
            raise BusRefusal("ResourceNotFoundException", f"Event bus {text} does not exist.")
        return name

    def local_bus(self, arn: str) -> str | None:
        """The name of the bus of that ARN, if it is one of this region and account."""
        prefix = self.bus_arn("")
        return arn.removeprefix(prefix) if arn.startswith(prefix) else None

    @property
    def _prefix(self) -> str:
        return f"arn:{partition(self.name)}:events:{self.name}:{self.account_id}:"
