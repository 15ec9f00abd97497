"""Figures as a table for people and as JSON for machines, with what they were measured on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from benchmarks.figure import AtLeast, Figure, number


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the figures come from. `load` is how many processes wanted to run in the minute before."""

    cores: int
    memory_gb: int
    python: str
    load: float

    def __str__(self) -> str:
        return f"{self.cores} cores, {self.memory_gb} GB, Python {self.python}, load before {self.load:.1f}"


def this_machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(os.cpu_count() or 1, round(memory / 2**30), platform.python_version(), os.getloadavg()[0])


def table_of(figures: Sequence[Figure], machine: Machine) -> Table:
    table = Table(title=f"eventmap on {machine}", title_justify="left", pad_edge=False)
    table.add_column("figure", overflow="fold")
    for heading in ("target", "measured", "rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("the other side alone", overflow="fold")
    table.add_column("note", overflow="fold")
    for figure in figures:
        table.add_row(
            figure.name,
            "" if figure.target is None else str(figure.target),
            f"{number(figure.measured)} {figure.unit}".rstrip(),
            _spread(figure.rounds),
            _coloured(figure.verdict),
            figure.ceiling,
            figure.note,
        )
    return table


def document_of(figures: Sequence[Figure], machine: Machine) -> dict[str, Any]:
    """The same as JSON values; a target is {"at_least": n}, {"at_most": n} or null."""
    return {"machine": asdict(machine), "figures": [_entry(figure) for figure in figures]}


def _entry(figure: Figure) -> dict[str, Any]:
    target = figure.target
    bound = None if target is None else {"at_least" if isinstance(target, AtLeast) else "at_most": target.value}
    return {
        "benchmark": figure.benchmark,
        "figure": figure.name,
        "unit": figure.unit,
        "measured": figure.measured,
        "target": bound,
        "verdict": figure.verdict,
        "rounds": list(figure.rounds),
        "ceiling": figure.ceiling,
        "note": figure.note,
    }


def _spread(rounds: Sequence[float]) -> str:
    return "" if len(rounds) == 1 else f"{number(min(rounds))} … {number(max(rounds))}"


def _coloured(verdict: str) -> str:
    return {"met": "[green]met[/]", "missed": "[red]missed[/]"}.get(verdict, "")
