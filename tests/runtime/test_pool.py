"""Which environment runs next (INV-75, 78, 79)."""

from __future__ import annotations

from typing import Any

from eventmap.runtime.pool import Pool


class Sandbox:
    """An environment as the pool sees one."""

    unfinished = None

    def __init__(self, number: int, born_at: float = 0.0) -> None:
        self.number, self.born_at, self.is_usable = number, born_at, True


def pool(limit: int = 2, *, idle_timeout_s: float = 300, maximum_lifetime_s: float = 1000) -> Any:
    created: list[Sandbox] = []

    def create() -> Any:
        created.append(Sandbox(len(created)))
        return created[-1]

    return Pool(limit, create, idle_timeout_s=idle_timeout_s, maximum_lifetime_s=maximum_lifetime_s)


def test_inv_79_the_most_recently_used_is_taken_first():
    """INV-79: last in, first out, and none is created while one is idle."""
    environments = pool(3)
    (a, _), (b, _) = environments.take(), environments.take()
    environments.give_back(a, 1)
    environments.give_back(b, 2)

    assert environments.take() == (b, [])
    assert environments.take() == (a, [])


def test_inv_75_no_more_than_the_limit_are_busy():
    """INV-75: the limit counts running invocations, idle environments are no obstacle."""
    environments = pool(1)
    first, _ = environments.take()

    assert environments.take() == (None, [])
    assert environments.free == 0
    environments.give_back(first, 1)
    assert environments.free == 1


def test_the_dead_are_handed_out_to_be_buried():
    """What died while idle leaves the pool, and another is found or made."""
    environments = pool(2)
    (a, _), (b, _) = environments.take(), environments.take()
    environments.give_back(a, 1)
    environments.give_back(b, 2)
    b.is_usable = False

    assert environments.take() == (a, [b])


def test_inv_78_idle_environments_expire_longest_idle_first():
    """INV-78: and only when their time is over."""
    environments = pool(2, idle_timeout_s=10)
    (a, _), (b, _) = environments.take(), environments.take()
    assert environments.next_expiry() is None
    environments.give_back(a, 1)
    environments.give_back(b, 2)

    assert environments.next_expiry() == 11
    assert environments.expire(10.9) == []
    assert environments.expire(11) == [a]
    assert environments.expire(100) == [b]


def test_inv_78_life_is_limited_for_the_idle_and_the_busy():
    """INV-78: an old environment expires early when idle, and leaves when given back."""
    environments = pool(2, maximum_lifetime_s=50)
    (a, _), (b, _) = environments.take(), environments.take()
    assert environments.give_back(a, 49)

    assert environments.next_expiry() == 50
    assert not environments.give_back(b, 50)
    assert environments.expire(50) == [a]
    assert environments.free == 2


def test_retired_environments_finish_and_leave():
    """A reload drops the idle at once and the busy when they are done."""
    environments = pool(2)
    (a, _), (b, _) = environments.take(), environments.take()
    environments.give_back(a, 1)

    assert environments.retire_all() == [a]
    assert not environments.give_back(b, 2)
    assert environments.take()[0] not in (a, b)


def test_a_closed_pool_hands_out_everything_and_nothing_more():
    """Idle and busy are both to be shut down."""
    environments = pool(2)
    (a, _), (b, _) = environments.take(), environments.take()
    environments.give_back(a, 1)

    assert environments.close() == [a, b]
    assert environments.take() == (None, [])
