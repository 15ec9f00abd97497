"""Which shards get a lease, when one may be read, when it may go: STR-21, STR-151, STR-152, STR-158, STR-200."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.lease import SHARD_END, Lease
from eventmap.rules.lineage import children_of, deletable, is_readable, missing_leases
from eventmap.shard import Shard

A = Shard("a", is_open=False)
B, C = Shard("b", ("a",)), Shard("c", ("a",))  # what A was split into
SPLIT = (A, B, C)
E, F = Shard("e", is_open=False), Shard("f", is_open=False)
G = Shard("g", ("e", "f"))  # what E and F were merged into
MERGE = (E, F, G)
CHAIN = tuple(Shard(name, (parent,) if parent else (), is_open=name == "d4") for name, parent in (
    ("d0", ""), ("d1", "d0"), ("d2", "d1"), ("d3", "d2"), ("d4", "d3")
))  # fmt: skip


def lease(shard_id: str, checkpoint: str = "TRIM_HORIZON", **fields: object) -> Lease:
    return replace(Lease(shard_id, checkpoint), **fields)  # type: ignore[arg-type]


def missing(shards: Iterable[Shard], *leases: Lease, start: str = "TRIM_HORIZON", prefix: str = "") -> dict[str, str]:
    """Checkpoints of the leases to create, by key."""
    made = missing_leases(tuple(shards), leases, starting_position=start, stream="s", prefix=prefix)
    return {each.key: each.checkpoint for each in made}


@pytest.mark.parametrize(
    ("shards", "start", "expected"),
    [
        (SPLIT, "TRIM_HORIZON", {"a"}),
        (SPLIT, "LATEST", {"b", "c"}),
        (SPLIT, "AT_TIMESTAMP", {"a", "b", "c"}),
        (MERGE, "TRIM_HORIZON", {"e", "f"}),
        (MERGE, "LATEST", {"g"}),
        ((B, C), "TRIM_HORIZON", {"b", "c"}),  # their parent has been trimmed away
        ((E,), "LATEST", {"e"}),  # closed, and its child not listed yet: that one is born later
        (CHAIN, "TRIM_HORIZON", {"d0"}),
        (CHAIN, "LATEST", {"d4"}),
        ((), "TRIM_HORIZON", set()),
    ],
)
def test_str_20_21_200_first_creation(shards: tuple[Shard, ...], start: str, expected: set[str]) -> None:
    """STR-20, STR-21: TRIM_HORIZON begins with the oldest, LATEST with the youngest; a time is asked of every shard."""
    assert missing(shards, start=start) == dict.fromkeys(expected, start)


def test_str_160_166_169_a_new_lease_tells_its_shard() -> None:
    """STR-160, STR-166, STR-169: key with prefix, parents, hash range, stream; nobody's, counter 0 (KCL-10)."""
    shard = Shard("b", ("a",), hash_range=("0", "9"))

    made = missing_leases([shard], [], starting_position="LATEST", stream="arn", prefix="1:s:7:")

    assert made == [Lease("1:s:7:b", "LATEST", parents=("a",), hash_range=("0", "9"), stream="arn")]
    assert (made[0].owner, made[0].counter, made[0].shard_id) == (None, 0, "b")


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"])
def test_str_21_151_children_wait_for_their_parent_and_begin_at_the_horizon(start: str) -> None:
    """STR-21, STR-151: nothing between the parent's last record and the child's first is missed."""
    assert missing(SPLIT, lease("a", "7"), start=start) == {}
    assert missing(SPLIT, lease("a", SHARD_END), start=start) == {"b": "TRIM_HORIZON", "c": "TRIM_HORIZON"}
    assert missing(SPLIT, lease("a", SHARD_END), lease("b"), start=start) == {"c": "TRIM_HORIZON"}


def test_str_151_158_a_merged_shard_waits_for_both_parents() -> None:
    """STR-151, STR-158: one finished parent is not enough."""
    assert missing(MERGE, lease("e", SHARD_END), lease("f", "3")) == {}
    assert missing(MERGE, lease("e", SHARD_END), lease("f", SHARD_END)) == {"g": "TRIM_HORIZON"}
    assert missing((E, G), lease("e", SHARD_END)) == {"g": "TRIM_HORIZON"}  # STR-152: f is listed no more


def test_str_151_156_generations_nobody_saw_are_created_one_by_one() -> None:
    """STR-156: four generations after the last look, the next one only; and so on to the youngest."""
    leases = [lease("d0", SHARD_END)]
    created = []
    while made := missing_leases(CHAIN, leases, starting_position="LATEST", stream="s"):
        created.append([(each.key, each.checkpoint) for each in made])
        leases += [replace(each, checkpoint=SHARD_END) for each in made]

    assert created == [[(name, "TRIM_HORIZON")] for name in ("d1", "d2", "d3", "d4")]


def test_str_200_what_was_read_and_cleaned_up_is_not_created_again() -> None:
    """STR-200: a shard with a leased descendant had its turn, however far down that is."""
    assert missing(CHAIN, lease("d3", "5")) == {}
    assert missing(CHAIN, lease("d0", SHARD_END), lease("d3", "5")) == {}
    assert missing(SPLIT, lease("b", "1"), lease("c", "1")) == {}


def test_str_152_a_parent_from_before_our_beginning_counts_as_finished() -> None:
    """STR-152: begun at LATEST with the children; the closed parent still listed holds up nobody."""
    shards = (A, replace(B, is_open=False), C, Shard("h", ("b",)), Shard("i", ("c", "b")))

    assert missing(shards[:3], lease("b", "LATEST"), lease("c", "LATEST"), start="LATEST") == {}
    assert missing(shards, lease("b", SHARD_END), lease("c", "LATEST"), start="LATEST") == {"h": "TRIM_HORIZON"}


@pytest.mark.parametrize(
    ("start", "expected"),
    [("TRIM_HORIZON", {"e", "f"}), ("LATEST", {"g"}), ("AT_TIMESTAMP", {"e", "f", "g"})],
)
def test_str_200_an_interrupted_first_creation_is_completed(start: str, expected: set[str]) -> None:
    """STR-200: as long as nothing was read, a shard without leased relatives was forgotten, not born."""
    assert missing((Shard("z"), *MERGE), lease("z", start), start=start) == dict.fromkeys(expected, start)


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
def test_str_21_a_stranger_in_a_table_that_is_at_work_begins_at_the_horizon(start: str) -> None:
    """STR-21: its parents were trimmed away while nobody looked: it was born later, and LATEST would lose records."""
    assert missing((B, C), lease("z", "12"), start=start) == {"b": "TRIM_HORIZON", "c": "TRIM_HORIZON"}
    assert missing(CHAIN, lease("z", SHARD_END), start=start) == {"d0": "TRIM_HORIZON"}


def test_str_21_latest_never_begins_with_what_had_ended_before() -> None:
    """STR-21: a closed shard without living descendants, when others are already read, is of the past."""
    assert missing((A, Shard("z")), lease("z", "12"), start="LATEST") == {}
    assert missing((A, Shard("z")), lease("z", "12"), start="TRIM_HORIZON") == {"a": "TRIM_HORIZON"}


def test_str_167_what_leases_remember_links_shards_listed_no_more() -> None:
    """STR-167: the child's own parent is gone from the listing; the finished lease still names its children."""
    shards = (Shard("k", ("j",)),)

    assert missing(shards, lease("a", SHARD_END, children=("j",)), start="LATEST") == {"k": "TRIM_HORIZON"}


def test_str_160_leases_under_another_prefix_are_no_relatives() -> None:
    """STR-160: several streams share a table, each with its own prefix."""
    assert missing(SPLIT, lease("y:a", SHARD_END), prefix="x:") == {"x:a": "TRIM_HORIZON"}


@pytest.mark.parametrize(
    ("parents", "readable"),
    [
        ((), True),
        (("a",), False),
        (("e",), True),
        (("gone",), True),
        (("e", "a"), False),
        (("e", "gone"), True),
    ],
)
@pytest.mark.parametrize("prefix", ["", "1:s:7:"])
def test_str_151_152_readable_when_no_parent_has_anything_left(
    parents: tuple[str, ...], readable: bool, prefix: str
) -> None:
    """STR-151, STR-152: every parent is at SHARD_END or has no lease."""
    leases = {prefix + key: lease(prefix + key, at) for key, at in (("a", "9"), ("e", SHARD_END))}

    assert is_readable(lease(prefix + "n", parents=parents), leases) is readable


def test_str_158_children() -> None:
    """STR-158: two of a split, one of a merge, none of an open shard."""
    assert children_of("a", SPLIT) == (B, C)
    assert children_of("e", MERGE) == children_of("f", MERGE) == (G,)
    assert children_of("b", SPLIT) == ()


@pytest.mark.parametrize(
    ("children", "deleted"),
    [
        ({"b": "5", "c": "5"}, True),
        ({"b": SHARD_END, "c": "0"}, True),
        ({"b": "5", "c": "TRIM_HORIZON"}, False),
        ({"b": "5"}, False),  # c has none yet
        ({}, False),
    ],
)
def test_str_200_a_finished_lease_goes_when_all_children_have_begun(children: dict[str, str], deleted: bool) -> None:
    """STR-200: not before every child is past its start; a reader that crashes there must find its parent's end."""
    leases = [lease("a", SHARD_END), *(lease(key, at, parents=("a",)) for key, at in children.items())]

    assert [each.key for each in deletable(SPLIT, leases)] == (["a"] if deleted else [])


def test_str_200_an_unfinished_lease_stays() -> None:
    """STR-200: whatever became of its children."""
    assert deletable(SPLIT, [lease("a", "9"), lease("b", "5"), lease("c", "5")]) == []


def test_str_200_children_cleaned_up_already_have_begun() -> None:
    """STR-200: the child has no lease, but its own child has."""
    leases = [lease("d0", SHARD_END), lease("d2", SHARD_END), lease("d3", "1")]

    assert {each.key for each in deletable(CHAIN, leases)} == {"d0", "d2"}


def test_str_200_shards_listed_no_more() -> None:
    """STR-200: the children were trimmed with it: nobody will ever ask; while a listed child has no lease, it stays."""
    remembered = lease("x", SHARD_END, children=("y",))

    assert deletable((A,), [remembered]) == [remembered]
    assert deletable((Shard("y", ("x",)),), [remembered]) == []


def test_str_200_a_listing_that_is_too_old_for_a_child_deletes_nothing() -> None:
    """STR-200: G came out of E and F after the listing; F is still read, so G has no lease yet, and E must stay."""
    leases = [lease("e", SHARD_END, children=("g",)), lease("f", "5")]

    assert deletable((E, replace(F, is_open=True)), leases) == []
    assert deletable(MERGE, leases) == []


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"])
def test_str_151_a_parent_whose_lease_was_deleted_too_early_is_read_again(start: str) -> None:
    """STR-151: otherwise its child, whose other parent is finished, would wait for it until it is trimmed."""
    assert missing(MERGE, lease("f", SHARD_END, children=("g",)), start=start) == {"e": "TRIM_HORIZON"}


def test_str_200_the_last_generation_stays() -> None:
    """STR-200: a disabled stream is read to its end; were that forgotten, all of it would be delivered again."""
    assert deletable((E,), [lease("e", SHARD_END)]) == []
    assert deletable((), [lease("e", SHARD_END)]) == []
    assert missing((E,), lease("e", SHARD_END)) == {}


class Story:
    """A stream that splits and merges while its leases are created, read and cleaned up at other times."""

    def __init__(self) -> None:
        self.shards: dict[str, Shard] = {"0": Shard("0"), "1": Shard("1")}
        self.leases: dict[str, Lease] = {}
        self.read: list[str] = []

    def reshard(self, place: int, merge: bool) -> None:
        living = [each for each in self.shards.values() if each.is_open]
        parents = [living[place % len(living)], *(living[(place + 1) % len(living)] for _ in range(merge))]
        ids = tuple(dict.fromkeys(each.shard_id for each in parents))
        for shard_id in ids:
            self.shards[shard_id] = replace(self.shards[shard_id], is_open=False)
        for _ in range(1 if len(ids) == 2 else 2):
            child = str(len(self.shards))
            self.shards[child] = Shard(child, ids)

    def create(self) -> None:
        made = missing_leases(
            tuple(self.shards.values()), self.leases.values(), starting_position="TRIM_HORIZON", stream="s"
        )
        self.leases.update((each.key, each) for each in made)

    def work(self, place: int) -> None:
        """Read one: past its start if it is open, to its end otherwise."""
        readable = [
            each
            for each in self.leases.values()
            if not each.is_finished
            and is_readable(each, self.leases)
            and (each.checkpoint == "TRIM_HORIZON" or not self.shards[each.key].is_open)
        ]
        if not readable:
            return
        chosen = readable[place % len(readable)]
        if chosen.checkpoint == "TRIM_HORIZON":
            assert all(parent in self.read for parent in chosen.parents)
            self.read.append(chosen.key)
        end = "1" if self.shards[chosen.key].is_open else SHARD_END
        self.leases[chosen.key] = replace(chosen, checkpoint=end)

    def clean(self) -> None:
        for each in deletable(tuple(self.shards.values()), self.leases.values()):
            del self.leases[each.key]


@given(
    st.lists(
        st.tuples(st.sampled_from(["split", "merge", "create", "work", "work", "clean"]), st.integers(0, 99)),
        max_size=60,
    )
)
def test_str_151_200_every_shard_is_read_once_after_its_parents(steps: list[tuple[str, int]]) -> None:
    """STR-151, STR-200: whatever the order of resharding, creating, reading and deleting."""
    story = Story()
    for step, place in [*steps, *[("create", 0), ("work", 0), ("clean", 0)] * 200]:
        match step:
            case "split" | "merge":
                story.reshard(place, step == "merge")
            case "create":
                story.create()
            case "work":
                story.work(place)
            case _:
                story.clean()

    assert sorted(story.read) == sorted(story.shards)
