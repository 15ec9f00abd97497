"""`python -m benchmarks [NAME…] [--json FILE] [--quick]`: measure and print."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.figure import Figure, number
from benchmarks.table import Machine, document_of, table_of, this_machine

NAMES = (
    "engine",
    "pump",
    "calls",
    "idle",
    "fifo",
    "leases",
    "fleet",
    "straggler",
    "isolation",
    "invoke",
    "http_api",
    "local",
    "sigterm",
    "shards",
    "accept",
    "durable",
    "sns_signature",
    "patterns",
    "schedules",
    "mapping_api",
)


def figures_of(name: str, *, quick: bool) -> list[Figure]:
    """Run one benchmark; imported only now, so that none measures the others' imports. Quick ones have no targets."""
    measured: list[Figure] = importlib.import_module(f"benchmarks.{name}").measure(quick=quick)
    return [replace(figure, target=None) for figure in measured] if quick else measured


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def main(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help=f"Any of: {', '.join(NAMES)}.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Run the code, in seconds; the figures mean nothing.")] = False,
) -> None:
    """Measure eventmap against its targets. All of them take about twelve minutes; leave the machine alone meanwhile.

    Example: python -m benchmarks engine pump --json figures.json
    """
    chosen = names or list(NAMES)
    if unknown := [name for name in chosen if name not in NAMES]:
        raise typer.BadParameter(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    machine = this_machine()
    figures: list[Figure] = []
    progress = Console(stderr=True)
    try:
        for name in chosen:
            for figure in figures_of(name, quick=quick):
                figures.append(figure)
                progress.print(f"{figure.name}: {number(figure.measured)} {figure.unit} {figure.verdict}", style="dim")
    finally:  # what was measured is worth keeping when the next benchmark fails
        _show(figures, machine, json_file)


def _show(figures: list[Figure], machine: Machine, json_file: Path | None) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table_of(figures, machine))
    if json_file is not None:
        json_file.write_text(json.dumps(document_of(figures, machine), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    cli(prog_name="python -m benchmarks")
