"""Where SQS servers differ from AWS and from each other, asked through plain boto3.

Each test states AWS' answer; a server's other answer must be in deviations.py, and must still be given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from .deviations import DEVIATIONS
from .process import Server
from .queue import Queue, answer_of, create_queue, redrive_to
from .recipes import RECIPES

ONE_MEBIBYTE = 1_048_576

Judge = Callable[..., None]
MakeQueue = Callable[..., Queue]


@pytest.fixture
def judge(request: pytest.FixtureRequest, sqs_server: Server) -> Judge:
    """`judge(aws=…, observed=…)` holds a server to AWS' answer, or to its own named deviation."""
    case = request.function.__name__.removeprefix("test_")

    def compare(*, aws: object, observed: object) -> None:
        deviation = DEVIATIONS.get((sqs_server.name, case))
        if deviation is None:
            assert aws == observed, f"{sqs_server.name} deviates from AWS: name it in deviations.py"
        else:
            assert deviation.observed == observed, f"no longer true of {sqs_server.name}: {deviation.reason}"

    return compare


@pytest.fixture
def make_queue(sqs_judge: Any, queue_name: str) -> MakeQueue:
    """`make_queue("role", Attribute="value")`; a role that ends in ".fifo" makes a FIFO queue."""
    return lambda role="main", **attributes: create_queue(sqs_judge, f"{queue_name}-{role}", **attributes)


def test_sqs_67_delete_with_an_old_receipt(judge: Judge, make_queue: MakeQueue) -> None:
    """On AWS the delete succeeds and may leave the message, which was received again meanwhile."""
    queue = make_queue(VisibilityTimeout="1")
    queue.send("x")
    (old,) = queue.receive()
    queue.receive(wait_s=5)

    answer = "ok" if answer_of(queue.delete, old) == "ok" else "refused"
    outcome = "kept" if queue.receive(wait_s=2) else "deleted"

    judge(aws="ok, kept", observed=f"{answer}, {outcome}")


def test_delete_twice(judge: Judge, make_queue: MakeQueue) -> None:
    """On AWS a delete may be repeated."""
    queue = make_queue()
    queue.send("x")
    (message,) = queue.receive()
    queue.delete(message)

    judge(aws="ok", observed=answer_of(queue.delete, message))


def test_delete_twice_in_a_batch(judge: Judge, make_queue: MakeQueue) -> None:
    """On AWS a delete may be repeated, in a batch too."""
    queue = make_queue()
    queue.send("x")
    messages = queue.receive()
    assert queue.delete_batch(messages) == []

    failed = [entry["Code"] for entry in queue.delete_batch(messages)]

    judge(aws="ok", observed=failed[0] if failed else "ok")


def test_visibility_change_after_delete(judge: Judge, make_queue: MakeQueue) -> None:
    """A deleted message has no visibility to change."""
    queue = make_queue()
    queue.send("x")
    (message,) = queue.receive()
    queue.delete(message)

    judge(aws="refused", observed=_ok_or_refused(queue.change_visibility, message, 5))


def test_sqs_66_visibility_above_twelve_hours(judge: Judge, make_queue: MakeQueue) -> None:
    """43,200 s is the most a message can be hidden for."""
    queue = make_queue()
    queue.send("x")
    (message,) = queue.receive()

    judge(aws="refused", observed=_ok_or_refused(queue.change_visibility, message, 43_201))


def test_sqs_66_visibility_below_zero(judge: Judge, make_queue: MakeQueue) -> None:
    """0 s is the least."""
    queue = make_queue()
    queue.send("x")
    (message,) = queue.receive()

    judge(aws="refused", observed=_ok_or_refused(queue.change_visibility, message, -1))


def test_batch_with_duplicate_ids(judge: Judge, make_queue: MakeQueue) -> None:
    """The ids of a batch's entries are distinct."""
    judge(aws="refused", observed=_ok_or_refused(make_queue().send_batch, "a", "a"))


def test_batch_of_eleven(judge: Judge, make_queue: MakeQueue) -> None:
    """A batch has at most ten entries."""
    judge(aws="refused", observed=_ok_or_refused(make_queue().send_batch, *"abcdefghijk"))


def test_empty_batch(judge: Judge, make_queue: MakeQueue) -> None:
    """A batch has at least one entry."""
    judge(aws="refused", observed=_ok_or_refused(make_queue().send_batch))


def test_batch_with_a_bad_id(judge: Judge, make_queue: MakeQueue) -> None:
    """An entry's id is made of letters, digits, hyphens and underscores."""
    judge(aws="refused", observed=_ok_or_refused(make_queue().send_batch, "a b!"))


def test_sqs_128_body_of_one_mebibyte(judge: Judge, make_queue: MakeQueue) -> None:
    """A message of 1,048,576 bytes is accepted."""
    judge(aws="ok", observed=answer_of(make_queue().send, "x" * ONE_MEBIBYTE))


def test_sqs_128_body_above_one_mebibyte(judge: Judge, make_queue: MakeQueue) -> None:
    """One byte more is an invalid parameter."""
    judge(aws="InvalidParameterValue", observed=answer_of(make_queue().send, "x" * (ONE_MEBIBYTE + 1)))


def test_sqs_50_fifo_order_after_expiry(judge: Judge, make_queue: MakeQueue) -> None:
    """What expired comes back before the later messages of its group, in order."""
    queue = make_queue("main.fifo", VisibilityTimeout="1")
    queue.send("m0", "m1", "m2", "m3", MessageGroupId="g")
    first, *_ = queue.receive(3)
    queue.delete(first)

    returned = queue.drain(3)

    assert sorted(returned) == ["m1", "m2", "m3"]
    judge(aws="in order", observed="in order" if returned == ["m1", "m2", "m3"] else "out of order")


def test_sqs_49_fifo_messages_of_one_group_per_receive(judge: Judge, make_queue: MakeQueue) -> None:
    """One receive returns as many messages of a group as it can."""
    queue = make_queue("main.fifo")
    queue.send("m0", "m1", "m2", MessageGroupId="g")

    judge(aws=3, observed=len(queue.receive()))


def test_sqs_47_fifo_group_in_flight_is_locked(judge: Judge, make_queue: MakeQueue) -> None:
    """While a message of a group is in flight only other groups are returned."""
    queue = make_queue("main.fifo")
    queue.send("a0", "a1", MessageGroupId="a")
    queue.send("b0", MessageGroupId="b")
    assert [message["Body"] for message in queue.receive(1)] == ["a0"]

    judge(aws=["b0"], observed=[message["Body"] for message in queue.receive()])


def test_fifo_members_released_in_reverse(judge: Judge, make_queue: MakeQueue) -> None:
    """Members of a group in flight that get visibility 0, last first, come back in their own order."""
    queue = make_queue("main.fifo")
    queue.send("m0", "m1", "m2", "m3", MessageGroupId="g")
    for message in reversed(queue.receive(3)):
        queue.change_visibility(message, 0)

    judge(aws=["m0", "m1", "m2", "m3"], observed=queue.drain(4))


def test_fifo_later_member_released_alone(judge: Judge, make_queue: MakeQueue) -> None:
    """A member that gets visibility 0 does not overtake an earlier one that is still in flight."""
    queue = make_queue("main.fifo")
    queue.send("m0", "m1", "m2", "m3", MessageGroupId="g")
    received = queue.receive(3)
    if len(received) > 1:
        queue.change_visibility(received[-1], 0)

    judge(aws=[], observed=[message["Body"] for message in queue.receive(wait_s=1)])


def test_sqs_53_group_on_a_standard_queue(judge: Judge, make_queue: MakeQueue) -> None:
    """A group id on a standard queue is returned as an attribute."""
    queue = make_queue()
    queue.send("x", MessageGroupId="tenant")
    (message,) = queue.receive()

    judge(aws="kept", observed="kept" if message["Attributes"].get("MessageGroupId") == "tenant" else "not returned")


def test_sqs_68_redrive_happens_at_the_next_receive(judge: Judge, make_queue: MakeQueue) -> None:
    """After `maxReceiveCount` receives the message is still in its queue; the receive after them moves it."""
    queue, dead_letters = _received_twice(make_queue)

    before = len(dead_letters.receive())
    again = len(queue.receive())
    after = len(dead_letters.receive(wait_s=2))

    judge(aws=(0, 0, 1), observed=(before, again, after))


def test_sqs_68_redrive_does_not_cost_a_receive(judge: Judge, make_queue: MakeQueue) -> None:
    """The receive of one message that moves an exhausted message returns the one behind it."""
    queue, _ = _received_twice(make_queue)
    queue.send("behind")

    judge(aws=("behind",), observed=tuple(message["Body"] for message in queue.receive(1)))


def test_sqs_71_receive_count_continues_in_the_dead_letter_queue(judge: Judge, make_queue: MakeQueue) -> None:
    """Two receives from the source make the first from the dead-letter queue the third."""
    queue, dead_letters = _received_twice(make_queue)
    queue.receive()

    (message,) = dead_letters.receive(wait_s=2)

    judge(aws="3", observed=message["Attributes"]["ApproximateReceiveCount"])


def test_sqs_71_dead_letter_names_its_source(judge: Judge, make_queue: MakeQueue) -> None:
    """`DeadLetterQueueSourceArn` tells where a message was given up."""
    queue, dead_letters = _received_twice(make_queue)
    queue.receive()

    (message,) = dead_letters.receive(wait_s=2)

    judge(aws=True, observed=message["Attributes"].get("DeadLetterQueueSourceArn") == queue.arn)


def test_sqs_71_move_task_on_a_standard_queue(judge: Judge, make_queue: MakeQueue) -> None:
    """StartMessageMoveTask brings a dead letter back as a new message."""
    judge(aws="moved, new message", observed=_move_back(make_queue, ""))


def test_sqs_71_move_task_on_a_fifo_queue(judge: Judge, make_queue: MakeQueue) -> None:
    """StartMessageMoveTask works on FIFO queues too."""
    judge(aws="moved, new message", observed=_move_back(make_queue, ".fifo", MessageGroupId="g"))


def test_receive_repeated_under_one_attempt_id(judge: Judge, make_queue: MakeQueue) -> None:
    """A receive repeated with its ReceiveRequestAttemptId answers with the same messages and receipts."""
    queue = make_queue("main.fifo")
    queue.send("m0", "m1", MessageGroupId="g")
    first = queue.receive(ReceiveRequestAttemptId="attempt")

    second = queue.receive(ReceiveRequestAttemptId="attempt")

    judge(aws="same messages, same receipts, count 1", observed=_compare(first, second))


def test_receive_repeated_after_a_delete(judge: Judge, make_queue: MakeQueue) -> None:
    """The repeated receive is answered when one of its messages was deleted meanwhile."""
    queue = make_queue("main.fifo")
    queue.send("m0", "m1", MessageGroupId="g")
    first, *_ = queue.receive(ReceiveRequestAttemptId="attempt")
    queue.delete(first)

    judge(aws="ok", observed=answer_of(queue.receive, ReceiveRequestAttemptId="attempt"))


def test_long_poll_of_a_queue_that_is_deleted(judge: Judge, sqs_server: Server, make_queue: MakeQueue) -> None:
    """A long poll under way when its queue is deleted ends with an error."""
    queue, another = make_queue(), make_queue("another")
    client = sqs_server.client("sqs", read_timeout=5)
    answers: list[str] = []
    poll = threading.Thread(target=_poll, args=(Queue(client, queue.url), answers), daemon=True)
    poll.start()
    another.receive(wait_s=1)  # long enough for the poll to be under way
    assert answers == []

    queue.client.delete_queue(QueueUrl=queue.url)
    poll.join(10)
    client.close()

    judge(aws="AWS.SimpleQueueService.NonExistentQueue", observed=", ".join(answers))


def test_sqs_15_code_of_a_missing_queue(judge: Judge, sqs_judge: Any, make_queue: MakeQueue) -> None:
    """A receive from a missing queue has the code clients have matched for years."""
    queue = make_queue()
    sqs_judge.delete_queue(QueueUrl=queue.url)

    judge(aws="AWS.SimpleQueueService.NonExistentQueue", observed=answer_of(queue.receive))


def test_sqs_30_order_on_a_standard_queue(judge: Judge, make_queue: MakeQueue) -> None:
    """AWS promises no order and no full receives; a server that keeps both hides bugs."""
    queue = make_queue()
    sent = [str(number) for number in range(25)]
    queue.send(*sent)

    received = [[message["Body"] for message in queue.receive()] for _ in range(3)]

    judge(aws="any order", observed="the order sent" if received == [sent[:10], sent[10:20], sent[20:]] else "other")


def test_drain_by_tens_returns_every_message_once(judge: Judge, make_queue: MakeQueue) -> None:
    """Cycles of receive(10) and delete-batch empty a queue; servers differ a hundredfold only in their speed."""
    queue = make_queue()
    sent = [str(number) for number in range(60)]
    queue.send(*sent)

    judge(aws=sorted(sent), observed=sorted(queue.drain(len(sent))))


def test_every_deviation_belongs_to_a_server_and_a_test() -> None:
    """An entry for a test that was renamed would never be checked again."""
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    unknown = [(server, case) for server, case in DEVIATIONS if server not in RECIPES or case not in tests]

    assert unknown == []


def _ok_or_refused(call: Callable[..., object], *arguments: Any) -> str:
    return "ok" if answer_of(call, *arguments) == "ok" else "refused"


def _received_twice(make_queue: MakeQueue) -> tuple[Queue, Queue]:
    """A queue with one message that has used up its two receives and is visible, and its dead-letter queue."""
    dead_letters = make_queue("dead")
    queue = make_queue(VisibilityTimeout="0", RedrivePolicy=redrive_to(dead_letters, after_receives=2))
    queue.send("x")
    assert [queue.receive()[0]["Attributes"]["ApproximateReceiveCount"] for _ in range(2)] == ["1", "2"]
    return queue, dead_letters


def _move_back(make_queue: MakeQueue, suffix: str, **send_options: str) -> str:
    dead_letters = make_queue(f"dead{suffix}")
    queue = make_queue(f"main{suffix}", VisibilityTimeout="0", RedrivePolicy=redrive_to(dead_letters, after_receives=1))
    queue.send("x", **send_options)
    (original,) = queue.receive()
    assert queue.receive() == []  # moves it to the dead letters
    if answer_of(queue.client.start_message_move_task, SourceArn=dead_letters.arn) != "ok":
        return "refused"
    back = queue.receive(wait_s=2)
    if not back:
        return "moved nothing"
    return "moved, same message" if back[0]["MessageId"] == original["MessageId"] else "moved, new message"


def _compare(first: list[Any], second: list[Any]) -> str:
    if not second:
        return "nothing"
    messages = "same" if [m["MessageId"] for m in first] == [m["MessageId"] for m in second] else "other"
    receipts = "same" if [m["ReceiptHandle"] for m in first] == [m["ReceiptHandle"] for m in second] else "new"
    count = second[0]["Attributes"]["ApproximateReceiveCount"]
    return f"{messages} messages, {receipts} receipts, count {count}"


def _poll(queue: Queue, answers: list[str]) -> None:
    try:
        code = answer_of(lambda: answers.append("message" if queue.receive(wait_s=3) else "empty"))
    except ReadTimeoutError:
        code = "no answer"
    if code != "ok":
        answers.append(code)
