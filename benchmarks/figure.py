"""Figure: one measured number, what it should be, and what the other side alone could do."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["met", "missed", ""]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The least that is acceptable."""

    value: float

    def is_met_by(self, measured: float) -> bool:
        return measured >= self.value

    def __str__(self) -> str:
        return f"≥ {number(self.value)}"


@dataclass(frozen=True, slots=True)
class AtMost:
    """The most that is acceptable."""

    value: float

    def is_met_by(self, measured: float) -> bool:
        return measured <= self.value

    def __str__(self) -> str:
        return f"≤ {number(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a benchmark found; `measured` is the median of `rounds`, of which there is at least one."""

    benchmark: str  #: the name it is chosen by on the command line
    name: str
    unit: str
    rounds: tuple[float, ...]
    target: AtLeast | AtMost | None = None  #: None = for information
    ceiling: str = ""  #: what the server, or the interpreter, does without eventmap
    note: str = ""

    @property
    def measured(self) -> float:
        return statistics.median(self.rounds)

    @property
    def verdict(self) -> Verdict:
        """Empty when there is no target."""
        if self.target is None:
            return ""
        return "met" if self.target.is_met_by(self.measured) else "missed"


def number(value: float) -> str:
    """Three significant digits, thousands apart, whole from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
