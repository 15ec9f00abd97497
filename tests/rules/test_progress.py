"""How far a shard is done when its lanes end their batches in any order."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from eventmap.model import StreamRecord
from eventmap.rules.progress import Progress


def records(*sequences: int) -> list[StreamRecord]:
    return [StreamRecord(f"0{number}", {}, number, "key", float(number)) for number in sequences]


def test_str_31_nothing_is_done_at_first() -> None:
    """STR-31: no checkpoint before the first record is done; reading alone moves nothing."""
    progress = Progress()
    progress.read(records(1, 2))

    assert (progress.checkpoint, len(progress)) == (None, 2)
    assert not progress.done([])
    assert progress.checkpoint is None


def test_str_31_73_the_checkpoint_waits_for_the_slowest_lane() -> None:
    """STR-31, 73: it is the highest number below which every lane is done, spelled as the source spells it."""
    progress = Progress()
    progress.read(records(1, 2, 3, 4))

    assert not progress.done(records(2, 4))
    assert progress.checkpoint is None
    assert progress.done(records(1))
    assert (progress.checkpoint, len(progress)) == ("02", 2)
    assert progress.done(records(3))
    assert (progress.checkpoint, len(progress)) == ("04", 0)


def test_str_157_order_is_the_order_of_reading() -> None:
    """STR-157: several reads follow each other; numbers are compared by nobody."""
    progress = Progress()
    progress.read(records(9))
    progress.read(records(10, 11))

    assert progress.done(records(9, 10))
    assert not progress.done([])
    assert progress.checkpoint == "010"


def test_how_far_time_is_done() -> None:
    """The oldest record that is not done tells it, whatever was done behind it; at the end the newest one does."""
    progress = Progress()
    assert progress.arrived_at == -math.inf

    progress.read(records(1, 2, 3))
    progress.done(records(3))
    assert progress.arrived_at == 1
    progress.done(records(1))
    assert progress.arrived_at == 2
    progress.done(records(2))
    assert progress.arrived_at == 3


@given(st.integers(1, 60), st.data())
def test_str_31_73_the_checkpoint_never_passes_what_is_not_done(count: int, data: st.DataObject) -> None:
    """STR-31, 73: whatever the order of ends, it names the last record of the longest finished beginning."""
    progress = Progress()
    everything = records(*range(count))
    cuts = sorted({0, count, *data.draw(st.sets(st.integers(0, count), max_size=4))})
    for start, end in itertools.pairwise(cuts):
        progress.read(everything[start:end])
    finished: set[int] = set()

    for number in data.draw(st.permutations(range(count))):
        moved = progress.done([everything[number]])

        before = next((n for n in range(count) if n not in finished), count)
        finished.add(number)
        first_open = next((n for n in range(count) if n not in finished), count)
        assert moved == (first_open > before)
        assert progress.checkpoint == (f"0{first_open - 1}" if first_open else None)
        assert len(progress) == count - first_open
