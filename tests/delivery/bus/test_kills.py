"""kill -9, anywhere: every event that PutEvents answered for has reached every target."""

from __future__ import annotations

import multiprocessing
import random
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from . import killed
from .scene import FUNCTION, QUEUE

KILLS = 20
LONGEST_LIFE_S = 0.2
"""After its first event: a machine that is busy takes its time to start a process."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs processes that fork")
def test_src_41_45_kill_9_between_the_answer_and_the_delivery_loses_nothing(tmp_path: Path) -> None:
    """Twenty processes in turn are killed at work on one file; the last one delivers what they left."""
    dice = random.Random(11)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([killed.__name__])
    for life in range(KILLS):
        process = processes.Process(target=killed.live, args=(tmp_path, life, False), daemon=True)
        process.start()
        _wait_for_work(tmp_path, process)
        process.join(dice.uniform(0, LONGEST_LIFE_S))
        assert process.exitcode is None, "it ended before it was killed"
        process.kill()
        process.join()
    left = len(set(killed.noted(tmp_path, killed.ACCEPTED)) - _reached(tmp_path, FUNCTION))
    last = processes.Process(target=killed.live, args=(tmp_path, KILLS, True), daemon=True)
    last.start()
    last.join(90)
    assert last.exitcode == 0

    accepted = set(killed.noted(tmp_path, killed.ACCEPTED))
    assert len(accepted) > KILLS
    assert left > 0, "every event was delivered before its process was killed: nothing was tried"
    for arn in (FUNCTION, QUEUE):
        assert accepted - _reached(tmp_path, arn) == set()


def _wait_for_work(folder: Path, process: BaseProcess) -> None:
    before = len(killed.noted(folder, killed.ACCEPTED))
    while len(killed.noted(folder, killed.ACCEPTED)) == before and process.is_alive():
        process.join(0.002)


def _reached(folder: Path, arn: str) -> set[str]:
    lines = (line.split(" ") for line in killed.noted(folder, killed.RECEIVED))
    return {event_id for target, event_id in lines if target == arn}
