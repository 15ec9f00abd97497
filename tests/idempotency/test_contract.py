"""What every store does alike, whoever keeps the entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from eventmap.idempotency import Store
from eventmap.rules.idempotency import Claimed, Done

Stores = tuple[Store, Store]

NOW = 1_785_261_234.123456
KEY = "orders.handler#" + "0" * 64
MINE = Claimed("mine", NOW + 10.5)
THEIRS = Claimed("theirs", NOW + 20.25, "checksum")
DONE = Done("mine", NOW + 3600, '{"n":"\\u00e9","list":[1,2.5,null]}')


def test_a_claim_is_won_when_there_is_none(stores: Stores) -> None:
    """And is what others find, until it expires."""
    assert stores[0].claim(KEY, MINE, NOW) == MINE
    assert stores[1].claim(KEY, THEIRS, NOW) == MINE
    assert stores[1].claim(KEY, THEIRS, NOW + 10.4) == MINE
    assert stores[1].claim(KEY, THEIRS, NOW + 10.5) == THEIRS
    assert stores[0].claim(KEY, MINE, NOW + 10.5) == THEIRS


def test_keys_have_nothing_to_do_with_each_other(stores: Stores) -> None:
    """Nor have their claims."""
    assert stores[0].claim(KEY, MINE, NOW) == MINE
    assert stores[1].claim(f"{KEY}1", THEIRS, NOW) == THEIRS


def test_a_result_is_found_until_it_expires(stores: Stores) -> None:
    """Exactly as it was committed."""
    stores[0].claim(KEY, MINE, NOW)

    assert stores[0].commit(KEY, DONE)

    assert stores[1].claim(KEY, THEIRS, NOW + 3599) == DONE
    assert stores[1].claim(KEY, THEIRS, NOW + 3600) == THEIRS


def test_a_checksum_is_kept_with_claim_and_result(stores: Stores) -> None:
    """So that another payload is noticed."""
    assert stores[0].claim(KEY, THEIRS, NOW) == THEIRS
    done = Done("theirs", NOW + 60, "null", "checksum")

    assert stores[0].commit(KEY, done)

    assert stores[1].claim(KEY, MINE, NOW) == done


def test_who_lost_the_claim_neither_commits_nor_releases(stores: Stores) -> None:
    """Another began in its place: the fence. What that one has is left as it is."""
    stores[0].claim(KEY, MINE, NOW)
    stores[1].claim(KEY, THEIRS, NOW + 11)

    assert not stores[0].commit(KEY, DONE)
    stores[0].release(KEY, "mine")

    assert stores[0].claim(KEY, MINE, NOW + 11) == THEIRS
    theirs = Done("theirs", NOW + 60, "2")
    assert stores[1].commit(KEY, theirs)
    assert not stores[0].commit(KEY, DONE)
    stores[0].release(KEY, "mine")
    assert stores[0].claim(KEY, MINE, NOW + 12) == theirs


def test_a_late_commit_that_nobody_overtook_is_good(stores: Stores) -> None:
    """Better than a second run."""
    stores[0].claim(KEY, MINE, NOW)

    assert stores[0].commit(KEY, DONE)

    assert stores[1].claim(KEY, THEIRS, NOW + 30) == DONE


def test_without_a_claim_nothing_is_committed(stores: Stores) -> None:
    """It was released, or never laid."""
    assert not stores[0].commit(KEY, DONE)
    stores[0].claim(KEY, MINE, NOW)
    stores[0].release(KEY, "mine")
    assert not stores[0].commit(KEY, DONE)


def test_a_released_key_is_free_at_once(stores: Stores) -> None:
    """Releasing again, or what is not there, is no error."""
    stores[0].claim(KEY, MINE, NOW)

    stores[0].release(KEY, "mine")
    stores[0].release(KEY, "mine")

    assert stores[1].claim(KEY, THEIRS, NOW) == THEIRS


def test_every_call_may_be_repeated(stores: Stores) -> None:
    """Whose answer was lost, asks again, and hears what it would have heard."""
    assert stores[0].claim(KEY, MINE, NOW) == MINE
    assert stores[0].claim(KEY, Claimed("mine", NOW + 11.5), NOW + 1) == MINE
    assert stores[0].commit(KEY, DONE)
    assert stores[0].commit(KEY, Done("mine", NOW + 3601, DONE.result))
    stores[0].release(KEY, "mine")

    assert stores[0].claim(KEY, MINE, NOW + 2) == DONE


@pytest.mark.parametrize("result", ["null", '"' + "x" * 300_000 + '"', "[" + "0," * 1000 + "1e-7]"])
def test_results_of_any_size_a_store_has_room_for(stores: Stores, result: str) -> None:
    """To the letter."""
    stores[0].claim(KEY, MINE, NOW)
    stores[0].commit(KEY, Done("mine", NOW + 60, result))

    assert stores[1].claim(KEY, THEIRS, NOW) == Done("mine", NOW + 60, result)


def test_of_many_that_race_for_a_key_one_wins(stores: Stores) -> None:
    """Whether it is free, or another's claim on it has just expired; nobody is told two things."""
    stores[0].claim(f"{KEY}-expired", Claimed("dead", NOW - 1), NOW - 10)
    with ThreadPoolExecutor(8) as threads:
        for key in (f"{KEY}-free", f"{KEY}-expired"):
            claims = [Claimed(f"token-{number}", NOW + 10 + number) for number in range(16)]

            found = list(
                threads.map(
                    lambda claim, key=key: stores[int(claim.token[-1]) % 2].claim(key, claim, NOW),
                    claims,
                )
            )

            assert len(set(found)) == 1
            assert found[0] in claims
