"""A table that is slow, busy or out of reach, and what a store makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap import clock
from eventmap.errors import AccessRefused, SourceError, StateError, StateNotFound, TransientSourceError
from eventmap.lease import Lease
from eventmap.shard import TRIM_HORIZON
from eventmap.state.dynamodb import DynamoDbLeases
from eventmap.state.lease_item import to_item
from eventmap.state.lease_table import make_ready

pytestmark = pytest.mark.virtual_time

MISSING = SourceError("no such table", code="ResourceNotFoundException")
THROTTLED = TransientSourceError("slow down", code="ThrottlingException")


class Scripted:
    """A DynamoDB that answers each operation from a list, the last entry for ever; an exception is raised."""

    def __init__(self, **answers: list[dict[str, Any] | Exception]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers

    async def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        answers = self._answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


def described(status: str) -> dict[str, Any]:
    return {
        "Table": {
            "TableStatus": status,
            "KeySchema": [{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "leaseKey", "AttributeType": "S"}],
        }
    }


async def test_kcl_02_a_new_table_is_waited_for() -> None:
    """AWS needs some seconds to make one, and may throttle meanwhile."""
    api = Scripted(
        DescribeTable=[MISSING, *[described("CREATING")] * 8, THROTTLED, described("ACTIVE")], CreateTable=[{}]
    )

    await make_ready(api, "leases")

    assert api.operations().count("CreateTable") == 1
    assert 10 <= clock.elapsed_s() <= 15


async def test_kcl_02_a_look_makes_no_table() -> None:
    """One call, and its answer."""
    api = Scripted(DescribeTable=[MISSING])

    with pytest.raises(StateNotFound, match='lease table "leases" does not exist: nothing has been recorded there'):
        await DynamoDbLeases(api, "leases").prepare(create=False)

    assert api.operations() == ["DescribeTable"]


async def test_kcl_02_a_look_waits_for_a_table_and_changes_nothing_in_it() -> None:
    """One that a worker is just making; what dead workers left behind stays."""
    api = Scripted(DescribeTable=[described("CREATING"), described("ACTIVE")])

    await DynamoDbLeases(api, "leases").prepare(create=False)

    assert api.operations() == ["DescribeTable"] * 2


async def test_kcl_02_a_table_another_worker_is_making_is_waited_for() -> None:
    """Both found it missing; one was faster."""
    in_use = SourceError("table already exists", code="ResourceInUseException")
    api = Scripted(DescribeTable=[MISSING, described("CREATING"), described("ACTIVE")], CreateTable=[in_use])

    await make_ready(api, "leases")

    assert api.operations() == ["DescribeTable", "CreateTable", "DescribeTable", "DescribeTable"]


async def test_kcl_02_a_table_just_made_may_not_be_seen_yet() -> None:
    """DescribeTable is eventually consistent; asking in a tight loop would not help."""
    in_use = SourceError("table already exists", code="ResourceInUseException")
    api = Scripted(DescribeTable=[*[MISSING] * 5, described("ACTIVE")], CreateTable=[{}, in_use])

    await make_ready(api, "leases")

    assert len(api.calls) <= 12
    assert clock.elapsed_s() >= 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(described("CREATING"), "still CREATING after 60 s", id="never active"),
        pytest.param(THROTTLED, r"still not answering \(slow down\) after 60 s", id="never answers"),
    ],
)
async def test_a_table_that_never_becomes_usable_is_given_up(answer: dict[str, Any] | Exception, said: str) -> None:
    """After a minute, by name."""
    with pytest.raises(StateError, match=f'lease table "leases" is {said}'):
        await make_ready(Scripted(DescribeTable=[answer]), "leases")

    assert clock.elapsed_s() == 60


async def test_credentials_that_may_not_look_are_refused_at_once() -> None:
    """In the words of the wire, which knows what to do."""
    api = Scripted(DescribeTable=[AccessRefused("allow dynamodb:DescribeTable", code="AccessDeniedException")])

    with pytest.raises(AccessRefused, match="allow dynamodb:DescribeTable"):
        await make_ready(api, "leases")

    assert clock.elapsed_s() == 0


async def test_a_scan_reads_all_pages() -> None:
    """Each begins where the one before ended, even one that is empty."""
    items = [to_item(Lease(f"shard-{number}", TRIM_HORIZON)) for number in range(3)]
    api = Scripted(
        Scan=[
            {"Items": items[:2], "LastEvaluatedKey": {"leaseKey": {"S": "shard-1"}}},
            {"Items": [], "LastEvaluatedKey": {"leaseKey": {"S": "shard-1x"}}},
            {"Items": items[2:]},
        ]
    )

    leases = (await DynamoDbLeases(api, "leases").scan()).leases

    assert [lease.key for lease in leases] == ["shard-0", "shard-1", "shard-2"]
    assert [parameters.get("ExclusiveStartKey") for _, parameters in api.calls] == [
        None,
        {"leaseKey": {"S": "shard-1"}},
        {"leaseKey": {"S": "shard-1x"}},
    ]


async def test_what_may_be_tried_again_stays_so() -> None:
    """Throttled or lost, for reads, changes and creations alike: the caller looks again."""
    api = Scripted(Scan=[THROTTLED], UpdateItem=[THROTTLED], PutItem=[THROTTLED], DeleteItem=[THROTTLED])
    store, lease = DynamoDbLeases(api, "leases"), Lease("shard-0", TRIM_HORIZON)

    with pytest.raises(TransientSourceError):
        await store.scan()
    with pytest.raises(TransientSourceError):
        await store.renew(lease)
    with pytest.raises(TransientSourceError):
        await store.create([lease] * 40)
    with pytest.raises(TransientSourceError):
        await store.delete(lease)


async def test_what_will_not_pass_is_a_state_error() -> None:
    """Rights that were taken away while running, say; the loops log it and go on."""
    denied = AccessRefused("allow dynamodb:UpdateItem", code="AccessDeniedException")
    store = DynamoDbLeases(Scripted(UpdateItem=[denied]), "leases")

    with pytest.raises(StateError, match='lease table "leases" cannot be used: allow dynamodb:UpdateItem'):
        await store.renew(Lease("shard-0", TRIM_HORIZON))


async def test_str_84_a_window_no_item_can_hold_is_refused_before_it_is_sent() -> None:
    """Naming the lease and its size."""
    noise = "".join(chr(0x4E00 + (number * 7919 + number**3) % 20_000) for number in range(400_000))
    api = Scripted()

    with pytest.raises(StateError, match='the tumbling window of lease "shard-0" does not fit'):
        await DynamoDbLeases(api, "leases").checkpoint(Lease("shard-0", TRIM_HORIZON), "7", {"state": noise})

    assert api.calls == []


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("checkpoint", None),
        ("checkpoint", {"N": "7"}),
        ("leaseCounter", None),
        ("leaseCounter", {"N": "many"}),
        ("ownerSwitchesSinceCheckpoint", {"S": "0"}),
        ("parentShardId", {"S": "shard-x"}),
        ("eventmapWindow", {"S": "{"}),
        ("eventmapWindow", {"S": "[]"}),
        ("eventmapWindow", {"B": "AAAA"}),
    ],
)
async def test_an_item_of_another_shape_is_named(attribute: str, value: dict[str, Any] | None) -> None:
    """Whatever is wrong with it, it is a StateError and no crash."""
    item: dict[str, Any] = to_item(Lease("shard-0", TRIM_HORIZON)) | {attribute: value}
    if value is None:
        del item[attribute]
    store = DynamoDbLeases(Scripted(Scan=[{"Items": [item]}]), "leases")

    with pytest.raises(StateError, match="holds the item 'shard-0', which is not a lease"):
        await store.scan()
