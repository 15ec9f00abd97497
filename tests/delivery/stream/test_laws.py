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
def test_str_29_30_31_41_82_151_199_201_213_the_promises_hold_whatever_breaks(
    seeds: range, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing lost, order per key, no checkpoint past what is not done, parents first, one owner, all at the tip."""
    caplog.set_level(logging.CRITICAL, logger="eventmap")
    for seed in seeds:
        try:
            unfold(seed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


def test_the_histories_are_of_every_kind() -> None:
    """The laws are held for both kinds of stream, with lanes, windows, item failures, fleets, crashes and giving up."""
    histories = [History(seed) for seed in range(520)]

    for wanted in (
        lambda h: h.is_table and h.workers > 1,
        lambda h: not h.is_table and h.workers > 1,
        lambda h: h.settings["parallelization_factor"] > 1,
        lambda h: h.settings["parallelization_factor"] > 1 and "function_response_types" in h.settings,
        lambda h: h.keeps_windows,
        lambda h: h.settings["starting_position"] == "LATEST",
        lambda h: h.settings["starting_position"] == "AT_TIMESTAMP",
        lambda h: h.settings["bisect_batch_on_function_error"] and h.gives_up,
        lambda h: not h.is_faulty,
    ):
        assert sum(bool(wanted(history)) for history in histories) >= 40
