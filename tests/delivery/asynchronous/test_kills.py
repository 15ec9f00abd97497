"""kill -9, anywhere: what was acknowledged has run, and has exactly one recorded end."""

from __future__ import annotations

import multiprocessing
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from eventmap.state.events_view import list_events

from . import killed

KILLS = 60
LONGEST_LIFE_S = 0.25


@pytest.mark.skipif(sys.platform == "win32", reason="needs processes that fork")
def test_inv_40_48_kill_9_at_any_point_loses_no_acknowledged_event(tmp_path: Path) -> None:
    """Sixty processes in turn are killed at work on one file; the last one ends what they left."""
    dice = random.Random(7)
    # Each is forked from a process that has imported everything, so that it is killed at work and not at its start.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([killed.__name__])
    for life in range(KILLS):
        process = processes.Process(target=killed.live, args=(tmp_path, life, False), daemon=True)
        process.start()
        process.join(dice.uniform(0, LONGEST_LIFE_S))
        assert process.exitcode is None, "it ended before it was killed"
        process.kill()
        process.join()
    last = processes.Process(target=killed.live, args=(tmp_path, KILLS, True), daemon=True)
    last.start()
    last.join(60)
    assert last.exitcode == 0

    acknowledged = set(killed.noted(tmp_path, killed.ACKNOWLEDGED))
    runs = Counter(killed.noted(tmp_path, killed.RAN))
    rows = list_events(tmp_path / "events.sqlite")
    ends = Counter(row.request_id for row in rows)
    assert len(acknowledged) > KILLS
    assert {row.state for row in rows} == {"succeeded", "failed"}
    assert acknowledged - ends.keys() == set()
    assert set(ends.values()) == {1}
    assert acknowledged - runs.keys() == set()
    assert ends.keys() - set(killed.noted(tmp_path, killed.TOLD)) == set()
    # What was under way at a kill runs once more, and nothing else does.
    assert runs.total() - len(runs) <= KILLS * (8 + 64)
