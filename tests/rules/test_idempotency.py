"""What becomes of one key, as a table; the laws over histories are in tests/idempotency/test_histories.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.rules.idempotency import (
    CLAIM_KEPT_S,
    LONGEST_PAUSE_S,
    MARGIN_S,
    Answered,
    Busy,
    Claimed,
    Done,
    Entry,
    Reused,
    Verdict,
    Won,
    claim_until_s,
    claimed,
    committed,
    is_committed,
    kept_until_s,
    longest_wait_s,
    pause_s,
    released,
    verdict,
)

NOW = 1000.0
MINE = Claimed("mine", NOW + 10)
DONE = Done("mine", NOW + 3600, "1")


@pytest.mark.parametrize(
    ("before", "stands"),
    [
        pytest.param(None, MINE, id="absent"),
        pytest.param(Claimed("other", NOW + 0.1), Claimed("other", NOW + 0.1), id="claimed"),
        pytest.param(Claimed("other", NOW), MINE, id="claim expired"),
        pytest.param(Done("other", NOW + 0.1, "2"), Done("other", NOW + 0.1, "2"), id="done"),
        pytest.param(Done("other", NOW, "2"), MINE, id="done long ago"),
        pytest.param(Claimed("mine", NOW + 9), Claimed("mine", NOW + 9), id="repeated"),
        pytest.param(DONE, DONE, id="repeated after the commit"),
    ],
)
def test_a_claim_stands_unless_something_that_lives_does(before: Entry | None, stands: Entry) -> None:
    """From the instant an entry expires, not a moment before, another may claim."""
    assert claimed(before, MINE, NOW) == stands


@pytest.mark.parametrize(
    ("before", "after", "succeeds"),
    [
        pytest.param(MINE, DONE, True, id="claimed"),
        pytest.param(Claimed("mine", NOW - 99), DONE, True, id="late, and nobody began in its place"),
        pytest.param(DONE, DONE, True, id="repeated"),
        pytest.param(Claimed("other", NOW + 9), Claimed("other", NOW + 9), False, id="another claimed"),
        pytest.param(Done("other", NOW + 9, "2"), Done("other", NOW + 9, "2"), False, id="another committed"),
        pytest.param(None, None, False, id="released or forgotten"),
    ],
)
def test_only_the_claim_that_stands_commits(before: Entry | None, after: Entry | None, succeeds: bool) -> None:
    """The token decides, and no clock."""
    assert committed(before, DONE) == after
    assert is_committed(after, DONE) is succeeds


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, None), (MINE, None), (DONE, DONE), (Claimed("other", NOW), Claimed("other", NOW))],
)
def test_only_ones_own_claim_is_released(before: Entry | None, after: Entry | None) -> None:
    """What was committed stays, and so does what is another's."""
    assert released(before, "mine") == after


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (MINE, Won()),
        (Claimed("mine", NOW + 5), Won()),
        (DONE, Answered("1")),
        (Done("other", NOW + 9, "2", "payload-a"), Answered("2")),
        (Done("other", NOW + 9, "2", "payload-b"), Reused()),
        (Done("other", NOW + 9, "2", ""), Answered("2")),
        (Claimed("other", NOW + 9, "payload-a"), Busy(NOW + 9)),
        (Claimed("other", NOW + 9, "payload-b"), Reused()),
    ],
)
def test_what_stands_says_what_to_do(standing: Entry, said: Verdict) -> None:
    """A checksum is compared where both have one."""
    assert verdict(standing, Claimed("mine", NOW + 10, "payload-a")) == said


def test_a_claim_lasts_as_long_as_its_invocation_and_a_margin() -> None:
    """Or as long as was said, where no invocation is."""
    assert claim_until_s(NOW, 30.0, 900.0) == NOW + 30 + MARGIN_S
    assert claim_until_s(NOW, 0.0, 900.0) == NOW + MARGIN_S
    assert claim_until_s(NOW, None, 900.0) == NOW + 900


def test_a_claim_is_kept_longer_than_it_keeps_others_away() -> None:
    """A result is kept exactly as long as it is answered."""
    assert kept_until_s(MINE) == NOW + 10 + CLAIM_KEPT_S
    assert kept_until_s(DONE) == DONE.until_s


@pytest.mark.parametrize(
    ("wait_s", "remaining_s", "longest_s"), [(0, None, 0), (60, None, 60), (60, 30, 29), (5, 30, 5), (5, 0.5, 0)]
)
def test_nobody_waits_past_the_end_of_its_invocation(
    wait_s: float, remaining_s: float | None, longest_s: float
) -> None:
    """To be timed out would tell nobody why."""
    assert longest_wait_s(wait_s, remaining_s) == longest_s


@given(wait_s=st.floats(0, 100), busy_s=st.floats(0, 100))
def test_a_wait_looks_again_with_growing_pauses_and_ends(wait_s: float, busy_s: float) -> None:
    """Never longer than allowed, soon after the other's claim expires, and a bounded number of times."""
    waited, pauses = 0.0, []
    while (pause := pause_s(waited, wait_s, busy_s - waited)) is not None:
        pauses.append(pause)
        waited += pause
        if waited >= busy_s:
            break

    assert all(0 < pause <= LONGEST_PAUSE_S for pause in pauses)
    assert waited <= wait_s + 1e-9
    assert len(pauses) <= 8 + wait_s
    if wait_s > busy_s > 0.001:
        assert waited <= busy_s + 0.002
