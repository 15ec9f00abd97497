"""The benchmarks themselves: each runs, in its quick form, and none of its figures is asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import NAMES, cli, figures_of
from benchmarks.figure import AtLeast, AtMost, Figure, number
from benchmarks.table import Machine, document_of, table_of

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_runs(name: str) -> None:
    """Its code works and gives numbers, whatever they are on a busy machine."""
    figures = figures_of(name, quick=True)

    assert figures
    for figure in figures:
        assert figure.benchmark == name
        assert all(math.isfinite(each) for each in figure.rounds)


@pytest.mark.parametrize(
    ("target", "measured", "verdict"),
    [
        (AtLeast(0.9), 0.9, "met"),
        (AtLeast(0.9), 0.89, "missed"),
        (AtMost(4), 4, "met"),
        (AtMost(4), 4.1, "missed"),
        (None, 1.0, ""),
    ],
)
def test_verdict_is_by_the_target(target: AtLeast | AtMost | None, measured: float, verdict: str) -> None:
    """A bound is met by itself; without one there is nothing to judge."""
    figure = Figure(benchmark="engine", name="any", unit="", rounds=(measured,), target=target)

    assert verdict == figure.verdict


def test_figure_is_the_median_of_its_rounds() -> None:
    """One round that something else disturbed does not decide."""
    figure = Figure(benchmark="engine", name="any", unit="", rounds=(1.0, 50.0, 2.0))

    assert figure.measured == 2.0


def test_json_and_table_say_the_same() -> None:
    """A figure, its unit and its ceiling are in both."""
    figure = Figure(
        benchmark="engine", name="any figure", unit="records/s", rounds=(51_234.0,), target=AtLeast(50_000), ceiling="c"
    )
    machine = Machine(2, 24, "3.11.7", 0.0)

    (entry,) = document_of([figure], machine)["figures"]
    cells = [str(cell) for column in table_of([figure], machine).columns for cell in column.cells]

    assert [entry["figure"], f"{number(entry['measured'])} {entry['unit']}", entry["ceiling"]] == [
        cells[0],
        cells[2],
        cells[5],
    ]
    assert entry["target"] == {"at_least": 50_000}


def test_command_writes_json(tmp_path: Path) -> None:
    """`--json FILE` holds the machine and every figure of the benchmarks named."""
    file = tmp_path / "figures.json"

    result = CliRunner().invoke(cli, ["fifo", "--quick", "--json", str(file)])

    assert result.exit_code == 0, result.output
    written = json.loads(file.read_text())
    assert [figure["benchmark"] for figure in written["figures"]] == ["fifo"]
    assert written["machine"]["cores"] > 0


def test_command_refuses_a_name_it_does_not_know() -> None:
    """A misspelt benchmark is misuse, and the message lists the right ones."""
    result = CliRunner().invoke(cli, ["engin"])

    assert result.exit_code == 2
    assert "straggler" in result.output


@pytest.mark.parametrize("name", NAMES)
def test_benchmark_is_documented(name: str) -> None:
    """docs/performance.md says how each one measures."""
    assert f"`{name}`" in (REPOSITORY / "docs/performance.md").read_text()
