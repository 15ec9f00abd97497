"""The promises, over many random histories; a failing one is named by its seed: `unfold(SEED)` replays it."""

from __future__ import annotations

import logging
import random

import pytest

from eventmap.testing import run_in_virtual_time

from .chaos import History

SEEDS_PER_TEST = 20
RANGES = [range(start, start + SEEDS_PER_TEST) for start in range(0, 520, SEEDS_PER_TEST)]


def unfold(seed: int) -> History:
    """Replay one history. The engine's own jitter is seeded too."""
    random.seed(seed)
    history = History(seed)
    run_in_virtual_time(history.unfold)
    history.check()
    return history


@pytest.mark.parametrize("seeds", RANGES, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_sqs_30_31_36_47_50_62_67_140_the_promises_hold_whatever_breaks(
    seeds: range, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing lost, nothing deleted before it succeeded, order per group, running <= limit, no overlapping calls."""
    caplog.set_level(logging.CRITICAL, logger="eventmap")
    for seed in seeds:
        try:
            unfold(seed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


def test_the_histories_are_of_every_kind() -> None:
    """The laws are held on both kinds of queue, with and without redrive, windows, item failures, heartbeats."""
    histories = [History(seed) for seed in range(520)]

    for wanted in (
        lambda h: h.fifo and h.receives,
        lambda h: not h.fifo and not h.receives,
        lambda h: h.settings["maximum_batching_window_in_seconds"],
        lambda h: "function_response_types" in h.settings and h.fifo,
        lambda h: not h.settings["heartbeat"],
        lambda h: h.settings["retry_backoff_s"] and h.fifo,
    ):
        assert sum(bool(wanted(history)) for history in histories) >= 40
