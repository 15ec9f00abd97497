"""What a change makes of a lease, over all leases; and that two stores agree on any run of changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.delivery.stream.ports import LeaseStore
from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.state.lease_item import from_item, to_item
from eventmap.state.lease_row import from_row, to_row
from eventmap.state.sqlite import SqliteLeases
from eventmap.state.transitions import checkpointed, finished, is_unchanged, released, renewed, taken
from eventmap.testing.memory_leases import MemoryLeaseTable

WORKERS = st.sampled_from(["a", "b", "c"])
SHARDS = st.lists(st.text("0123456789", min_size=1, max_size=4), max_size=3, unique=True).map(sorted).map(tuple)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LEASES = st.builds(
    Lease,
    key=st.text(min_size=1),
    checkpoint=st.sampled_from([TRIM_HORIZON, "LATEST", "AT_TIMESTAMP", "SHARD_END"]) | st.integers(0).map(str),
    owner=st.none() | WORKERS,
    counter=st.integers(0, 2**53),
    checkpoint_owner=st.none() | WORKERS,
    owner_switches=st.integers(0, 9),
    sub_sequence=st.integers(0, 9),
    parents=SHARDS,
    children=SHARDS,
    hash_range=st.none() | st.tuples(st.just("0"), st.integers(0).map(str)),
    stream=st.text(),
    window=st.none() | st.dictionaries(st.text(), JSON, max_size=3),
)


@given(LEASES, WORKERS)
def test_str_162_every_change_but_a_hand_over_raises_the_counter_by_one(lease: Lease, owner: str) -> None:
    """So whoever read the lease before cannot change it any more."""
    changes = [
        taken(lease, owner, hand_over=False),
        renewed(lease),
        checkpointed(lease, "7", None),
        finished(lease, ["child"]),
        released(lease),
    ]

    assert {changed.counter for changed in changes} == {lease.counter + 1}
    assert not any(is_unchanged(changed, lease) for changed in changes)


@given(LEASES, WORKERS)
def test_kcl_12_str_162_a_hand_over_leaves_the_counter(lease: Lease, owner: str) -> None:
    """The KCL's old owner goes on writing with the counter it knows; for all others the rights have changed."""
    after = taken(lease, owner, hand_over=True)

    assert after.counter == lease.counter + (after.checkpoint_owner is None)
    assert not is_unchanged(after, lease) or owner == lease.owner  # it had asked before


@given(LEASES, WORKERS, st.booleans())
def test_kcl_12_nobody_hands_over_to_himself(lease: Lease, owner: str, hand_over: bool) -> None:
    """After taking, who may still checkpoint is another, was at work before, and was asked to hand over."""
    after = taken(lease, owner, hand_over=hand_over)

    assert after.owner == owner
    assert after.checkpoint_owner != owner
    assert after.checkpoint_owner in (None, lease.checkpoint_owner or lease.owner)
    assert hand_over or after.checkpoint_owner is None
    assert (after.checkpoint, after.window) == (lease.checkpoint, lease.window)


@given(LEASES)
def test_str_160_to_172_a_lease_is_what_was_written_of_it(lease: Lease) -> None:
    """As an item of the table and as a row of the file."""
    row = to_row(lease)

    assert from_item(to_item(lease)) == lease
    assert from_row(list(row.values())) == lease


Step = tuple[str, int, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "hand over", "renew", "checkpoint", "finish", "release", "delete", "create"]),
        st.integers(0, 5),  # how many versions ago the lease was read
        WORKERS,
    ),
    max_size=25,
)


async def applied(store: LeaseStore, steps: list[Step]) -> list[object]:
    """What the store answers to a run of changes of one lease, some made from what was read long ago."""
    first = Lease("shard-0", TRIM_HORIZON)
    await store.create([first])
    versions: list[Lease] = [first]
    answers: list[object] = []
    for operation, age, worker in steps:
        lease = versions[max(0, len(versions) - 1 - age)]
        answer: Lease | bool | None
        match operation:
            case "take":
                answer = await store.take(lease, worker)
            case "hand over":
                answer = await store.take(lease, worker, hand_over=True)
            case "renew":
                answer = await store.renew(lease)
            case "checkpoint":
                answer = await store.checkpoint(lease, str(len(versions)), {"state": {"by": worker}})
            case "finish":
                answer = await store.finish(lease, [worker])
            case "release":
                answer = await store.release(lease)
            case "delete":
                answer = await store.delete(lease)
            case _:
                await store.create([replace(first, stream=worker)])
                answer = await store.get(first.key)
        if isinstance(answer, Lease):
            versions.append(answer)
        answers += [answer, await store.get(first.key)]
    return answers


@settings(max_examples=60, deadline=None)
@given(STEPS)
async def test_str_197_198_199_the_stores_answer_alike(steps: list[Step]) -> None:
    """Whatever is tried in whatever order, from whatever was read: the file answers as the model in memory does."""
    expected = await applied(MemoryLeaseTable().store_for("a"), steps)
    with TemporaryDirectory() as folder:
        store = SqliteLeases(Path(folder) / "state.sqlite", "orders")
        await store.prepare()

        answers = await applied(store, steps)

        await store.aclose()
    assert answers == expected
