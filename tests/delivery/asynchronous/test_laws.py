"""The conservation law over random histories: an accepted event is owed or has ended once, whoever dies when."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventmap.testing import run_in_virtual_time

from .chaos import History


@pytest.mark.parametrize("tens", range(25))
def test_inv_40_48_every_accepted_event_ends_once_in_memory(tens: int) -> None:
    """Ten histories each: crashes, drains, faults of the store, repetitions, an operator."""
    for seed in range(tens * 10, tens * 10 + 10):
        run_in_virtual_time(History(seed).unfold)


@pytest.mark.parametrize("seed", range(12))
def test_inv_40_48_every_accepted_event_ends_once_in_a_file(seed: int, tmp_path: Path) -> None:
    """The same on SQLite, opened anew by each life."""
    run_in_virtual_time(History(seed, tmp_path / "events.sqlite").unfold)
