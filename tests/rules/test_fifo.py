"""Order inside a FIFO message group, whatever the queue returns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventmap.model import Record
from eventmap.rules import fifo
from eventmap.rules.fifo import OWED_GRACE_S, RUNNING_GROUP_WAIT_S, GroupOrder

from .records import ids, record


def message(name: str) -> Record:
    """`a3` is the third message of group a."""
    return record(name, group=name[0], sequence=int(name[1:]))


def messages(*names: str) -> list[Record]:
    return [message(name) for name in names]


def again(*names: str) -> list[Record]:
    """The same, received for the second time."""
    return [record(name, group=name[0], sequence=int(name[1:]), receive_count=2) for name in names]


def test_sqs_47_48_a_receive_is_put_in_order_per_group() -> None:
    """SQS-47, 48: groups in the order they came, each in its own sequence, in one batch."""
    admitted, returned = GroupOrder().admit(again("a2", "b1", "a1"), 0.0)

    assert (ids(admitted), returned) == (["a1", "a2", "b1"], [])


def test_sqs_47_nothing_of_a_running_group_starts() -> None:
    """SQS-47: it is handed back for two seconds; other groups are not held up; then it may."""
    order = GroupOrder()
    order.started(messages("a1"))

    admitted, returned = order.admit(messages("a2", "b1"), 0.0)
    order.finished(messages("a1"), [], 1.0)
    later, _ = order.admit(messages("a2"), 2.0)

    assert (
        ids(admitted),
        [(each.item_id, wait) for each, wait in returned],
    ) == (["b1"], [("a2", RUNNING_GROUP_WAIT_S)])
    assert ids(later) == ["a2"]


def test_sqs_47_a_group_runs_until_its_last_batch_ends() -> None:
    """SQS-47: two batches of one group, as after a cut by size, count as two."""
    order = GroupOrder()
    order.started(messages("a1"))
    order.started(messages("a2"))

    order.finished(messages("a1"), [], 1.0)

    assert order.admit(messages("a3"), 1.0)[0] == []
    order.finished(messages("a2"), [], 2.0)
    assert ids(order.admit(messages("a3"), 2.0)[0]) == ["a3"]


def test_sqs_50_what_failed_comes_before_what_follows() -> None:
    """SQS-50: a later message waits until the failed one is visible again, and both go in order."""
    order = GroupOrder()
    order.started(messages("a1"))
    order.finished(messages("a1"), [(message("a1"), 30.0)], 1.0)

    early, returned = order.admit(messages("a2"), 3.5)
    together, _ = order.admit(messages("a2", "a1"), 30.0)

    assert (early, [("a2", 27)]) == ([], [(each.item_id, wait) for each, wait in returned])
    assert ids(together) == ["a1", "a2"]


def test_sqs_50_an_earlier_message_never_waits_for_a_later_one() -> None:
    """SQS-50: a failed a2 holds up a3, not a1."""
    order = GroupOrder()
    order.started(messages("a2"))
    order.finished(messages("a2"), [(message("a2"), 30.0)], 1.0)

    admitted, returned = order.admit([*again("a1"), *messages("a3")], 2.0)

    assert (ids(admitted), ids(returned)) == (["a1"], ["a3"])


def test_sqs_50_the_second_time_the_queue_is_believed() -> None:
    """SQS-50: a queue that returns a later message twice has lost the earlier one, to its DLQ or another worker."""
    order = GroupOrder()
    order.started(messages("a1"))
    order.finished(messages("a1"), [(message("a1"), 30.0)], 1.0)

    assert order.admit(messages("a2"), 2.0)[0] == []
    assert ids(order.admit(messages("a2"), 31.0)[0]) == ["a2"]
    assert ids(order.admit(messages("a3"), 31.0)[0]) == ["a3"]


def test_sqs_50_a_debt_long_overdue_is_forgotten() -> None:
    """SQS-50: its message is in the dead-letter queue, or another worker has it."""
    order = GroupOrder()
    order.started(messages("a1"))
    order.finished(messages("a1"), [(message("a1"), 30.0)], 1.0)

    assert ids(order.admit(messages("a2"), 30.0 + OWED_GRACE_S)[0]) == ["a2"]


def test_sqs_46_one_groups_debt_never_stops_another() -> None:
    """SQS-46: groups are independent."""
    order = GroupOrder()
    order.started(messages("a1", "b1"))
    order.finished(messages("a1", "b1"), [(message("a1"), 30.0)], 1.0)

    assert ids(order.admit(messages("b2"), 2.0)[0]) == ["b2"]


def test_sqs_50_the_memory_of_debts_is_bounded() -> None:
    """Beyond ten thousand groups those overdue are forgotten, and those due are not."""
    order = GroupOrder()
    old = [record(f"m{n}", group=f"g{n}", sequence=1) for n in range(fifo._OWED_LIMIT)]
    order.started(old)
    order.finished(old, [(each, 1.0) for each in old], 0.0)
    order.started(messages("a1"))

    order.finished(messages("a1"), [(message("a1"), 130.0)], 100.0)

    assert len(order._owed) == 1
    assert order.admit(messages("a2"), 101.0)[0] == []


def random_number(name: str, number: int, receive_count: int = 1) -> Record:
    """As from a server that numbers at random."""
    return record(name, group=name[0], sequence=number, receive_count=receive_count)


def test_sqs_47_numbers_that_do_not_rise_are_not_believed() -> None:
    """SQS-47: fresh messages come in their true order on every server, whatever their numbers say."""
    order = GroupOrder()

    admitted, _ = order.admit([random_number("a1", 9), random_number("b1", 1), random_number("a2", 3)], 0.0)

    assert ids(admitted) == ["a1", "a2", "b1"]


def test_sqs_50_without_believable_numbers_the_order_first_seen_counts() -> None:
    """SQS-50: what failed together comes back in any order, and runs in its own; then what was never seen."""
    order = GroupOrder()
    first, _ = order.admit([random_number("a1", 9), random_number("a2", 3), random_number("a3", 5)], 0.0)
    order.started(first)
    order.finished(first, [(each, 10.0) for each in first[1:]], 1.0)

    early, returned = order.admit([random_number("a4", 1)], 2.0)
    again = [random_number("a4", 1, 2), random_number("a3", 5, 2), random_number("a2", 3, 2)]
    admitted, _ = order.admit(again, 10.0)

    assert (early, ids(returned), ids(admitted)) == ([], ["a4"], ["a2", "a3", "a4"])


def test_sqs_50_debts_from_before_the_numbers_were_doubted_still_count() -> None:
    """SQS-50: the first contradiction comes in another group; what is owed keeps its order."""
    order = GroupOrder()
    order.started([random_number("a1", 9)])
    order.finished([random_number("a1", 9)], [(random_number("a1", 9), 10.0)], 1.0)

    order.admit([random_number("b1", 7), random_number("b2", 2)], 2.0)
    admitted, returned = order.admit([random_number("a2", 4)], 3.0)

    assert (admitted, ids(returned)) == ([], ["a2"])


def test_sqs_50_what_failed_goes_before_fresh_messages_with_lower_numbers() -> None:
    """SQS-50: a fresh message is later than any that was received before, so a lower number is a random one."""
    order = GroupOrder()
    first, _ = order.admit([random_number("a0", 1), random_number("a1", 9)], 0.0)
    order.started(first)
    order.finished(first, [(first[1], 10.0)], 1.0)

    admitted, _ = order.admit([random_number("a1", 9, 2), random_number("a2", 4), random_number("a3", 6)], 10.0)

    assert ids(admitted) == ["a1", "a2", "a3"]


def test_sqs_50_another_workers_failure_goes_before_fresh_messages_with_lower_numbers() -> None:
    """SQS-50: the same when the message failed elsewhere: its receive count tells that it came before."""
    order = GroupOrder()

    admitted, _ = order.admit([random_number("a1", 9, 2), random_number("a2", 4)], 10.0)

    assert ids(admitted) == ["a1", "a2"]


def test_sqs_50_our_own_numbers_are_forgotten_with_their_messages() -> None:
    """Bounded memory: only what may come back keeps one."""
    order = GroupOrder()
    admitted, _ = order.admit([random_number(f"a{n}", 100 - n) for n in range(50)], 0.0)
    order.started(admitted)

    order.finished(admitted, [(admitted[-1], 30.0)], 1.0)

    assert list(order._seen) == ["a49"]


@given(st.lists(st.lists(st.sampled_from(["a1", "a2", "a3", "b1", "b2"]), unique=True, max_size=5), max_size=8))
def test_sqs_47_every_message_is_admitted_or_handed_back(receives: list[list[str]]) -> None:
    """Conservation: each in exactly one part, admitted ones in order per group, no group running twice."""
    order = GroupOrder()
    running: list[Record] = []
    for now, names in enumerate(receives):
        admitted, returned = order.admit(again(*names), float(now))

        assert sorted(ids(admitted) + ids(returned)) == sorted(names)
        assert not {each.group for each in admitted} & {each.group for each in running}
        for group in "ab":
            sequence = [each.sequence for each in admitted if each.group == group]
            assert sequence == sorted(sequence)
        assert all(wait >= 0 for _, wait in returned)
        if admitted:
            order.started(admitted)
            running += admitted
        if now % 2 and running:
            order.finished(running, [(running[0], now + 1.5)], float(now))
            running = []
