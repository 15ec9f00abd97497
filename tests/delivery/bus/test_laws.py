"""The conservation law over random histories: an event that was acknowledged is delivered, buried or dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventmap.testing import run_in_virtual_time

from .chaos import History


@pytest.mark.parametrize("tens", range(12))
def test_src_41_45_46_every_acknowledged_event_has_an_end_in_memory(tens: int) -> None:
    """Ten histories each: crashes, drains, faults of the store and of targets."""
    for seed in range(tens * 10, tens * 10 + 10):
        run_in_virtual_time(History(seed).unfold)


@pytest.mark.parametrize("seed", range(6))
def test_src_41_45_46_every_acknowledged_event_has_an_end_in_a_file(seed: int, tmp_path: Path) -> None:
    """The same on SQLite, opened anew by each life."""
    run_in_virtual_time(History(seed, tmp_path / "buses.sqlite").unfold)
