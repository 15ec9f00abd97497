"""Where a server is known to answer differently from AWS: one entry each, held true by test_differences.py.

Seen on moto 5.2.5, ministack 1.4.21, fauxqs 1.9.2 and ElasticMQ 1.7.1. An entry that stops being true fails its test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Deviation:
    """What a server answers instead of AWS' answer, and what a test must know about it."""

    observed: object
    reason: str


_SAME_EVERYWHERE: Final = Deviation("the order sent", "keeps strict order and fills every receive: hides ordering bugs")
_NO_MOVE_TASK: Final = Deviation("refused", "StartMessageMoveTask is not implemented")
_ATTEMPTS_IGNORED: Final = Deviation("nothing", "ReceiveRequestAttemptId is ignored: the messages are in flight")
_UNCHECKED_ENTRIES: Final = Deviation("ok", "the entries of a batch are not validated")
_RECEIPT_DIES: Final = "a receipt is good for one delete: a delete repeated after a lost answer shows as an error"
_EMPTY_AFTER_FULL_WAIT: Final = Deviation("empty", "the deletion goes unnoticed until the wait is over")

#: (server, test name without "test_") → deviation
DEVIATIONS: Final = {
    ("moto", "sqs_67_delete_with_an_old_receipt"): Deviation("ok, deleted", "every receipt ever given stays valid"),
    ("ministack", "sqs_67_delete_with_an_old_receipt"): Deviation("refused, kept", "only the newest receipt is known"),
    ("elasticmq", "sqs_67_delete_with_an_old_receipt"): Deviation("refused, kept", "only the newest receipt is known"),
    ("ministack", "delete_twice"): Deviation("ReceiptHandleIsInvalid", _RECEIPT_DIES),
    ("elasticmq", "delete_twice"): Deviation("ReceiptHandleIsInvalid", _RECEIPT_DIES),
    ("ministack", "delete_twice_in_a_batch"): Deviation("ReceiptHandleIsInvalid", _RECEIPT_DIES),
    ("elasticmq", "delete_twice_in_a_batch"): Deviation("ReceiptHandleIsInvalid", _RECEIPT_DIES),
    ("ministack", "sqs_66_visibility_above_twelve_hours"): Deviation("ok", "the range is not checked"),
    ("elasticmq", "sqs_66_visibility_above_twelve_hours"): Deviation("ok", "the range is not checked"),
    ("moto", "sqs_66_visibility_below_zero"): Deviation("ok", "only the upper end of the range is checked"),
    ("ministack", "sqs_66_visibility_below_zero"): Deviation("ok", "the range is not checked"),
    ("elasticmq", "sqs_66_visibility_below_zero"): Deviation("ok", "the range is not checked"),
    ("ministack", "batch_with_duplicate_ids"): _UNCHECKED_ENTRIES,
    ("ministack", "empty_batch"): _UNCHECKED_ENTRIES,
    ("elasticmq", "empty_batch"): _UNCHECKED_ENTRIES,
    ("ministack", "batch_with_a_bad_id"): _UNCHECKED_ENTRIES,
    ("elasticmq", "batch_with_a_bad_id"): _UNCHECKED_ENTRIES,
    ("ministack", "sqs_128_body_of_one_mebibyte"): Deviation("InvalidParameterValue", "262,144 bytes, the old limit"),
    ("fauxqs", "sqs_128_body_above_one_mebibyte"): Deviation(
        "AWS.SimpleQueueService.InvalidParameterValue", "a code without a legacy name is prefixed all the same"
    ),
    ("elasticmq", "sqs_128_body_above_one_mebibyte"): Deviation("InvalidAttributeValue", "a code of its own"),
    ("moto", "sqs_50_fifo_order_after_expiry"): Deviation(
        "out of order", "expired members of a group are not put back in order: no judge of FIFO retries"
    ),
    ("fauxqs", "sqs_49_fifo_messages_of_one_group_per_receive"): Deviation(1, "one message of a group per receive"),
    ("fauxqs", "sqs_53_group_on_a_standard_queue"): Deviation("not returned", "fair queues are not known"),
    ("elasticmq", "sqs_68_redrive_does_not_cost_a_receive"): Deviation(
        (), "the message moved to the dead-letter queue counts towards what the receive returns"
    ),
    ("fauxqs", "sqs_71_receive_count_continues_in_the_dead_letter_queue"): Deviation("4", "the move is counted too"),
    ("moto", "sqs_71_dead_letter_names_its_source"): Deviation(False, "DeadLetterQueueSourceArn is not set"),
    ("ministack", "sqs_71_dead_letter_names_its_source"): Deviation(False, "DeadLetterQueueSourceArn is not set"),
    ("fauxqs", "sqs_71_dead_letter_names_its_source"): Deviation(False, "DeadLetterQueueSourceArn is not set"),
    ("moto", "sqs_71_move_task_on_a_standard_queue"): _NO_MOVE_TASK,
    ("ministack", "sqs_71_move_task_on_a_standard_queue"): _NO_MOVE_TASK,
    ("fauxqs", "sqs_71_move_task_on_a_standard_queue"): _NO_MOVE_TASK,
    ("elasticmq", "sqs_71_move_task_on_a_standard_queue"): Deviation(
        "moved, same message", "AWS makes a new message with a new id"
    ),
    ("moto", "sqs_71_move_task_on_a_fifo_queue"): _NO_MOVE_TASK,
    ("ministack", "sqs_71_move_task_on_a_fifo_queue"): _NO_MOVE_TASK,
    ("fauxqs", "sqs_71_move_task_on_a_fifo_queue"): _NO_MOVE_TASK,
    ("elasticmq", "sqs_71_move_task_on_a_fifo_queue"): Deviation("moved nothing", "says COMPLETED all the same"),
    ("moto", "receive_repeated_under_one_attempt_id"): _ATTEMPTS_IGNORED,
    ("ministack", "receive_repeated_under_one_attempt_id"): _ATTEMPTS_IGNORED,
    ("fauxqs", "receive_repeated_under_one_attempt_id"): _ATTEMPTS_IGNORED,
    ("elasticmq", "receive_repeated_under_one_attempt_id"): Deviation(
        "same messages, new receipts, count 2", "the repeat is a receive of its own"
    ),
    ("elasticmq", "receive_repeated_after_a_delete"): Deviation("500", "the deleted message is still looked up"),
    ("moto", "long_poll_of_a_queue_that_is_deleted"): _EMPTY_AFTER_FULL_WAIT,
    ("ministack", "long_poll_of_a_queue_that_is_deleted"): _EMPTY_AFTER_FULL_WAIT,
    ("fauxqs", "long_poll_of_a_queue_that_is_deleted"): Deviation("empty", "the poll ends at once, without an error"),
    ("elasticmq", "long_poll_of_a_queue_that_is_deleted"): Deviation(
        "no answer", "the request hangs for 21 s and then fails with 5xx: a client needs a read timeout"
    ),
    ("elasticmq", "sqs_15_code_of_a_missing_queue"): Deviation("QueueDoesNotExist", "the JSON protocol's name only"),
    ("moto", "sqs_30_order_on_a_standard_queue"): _SAME_EVERYWHERE,
    ("ministack", "sqs_30_order_on_a_standard_queue"): _SAME_EVERYWHERE,
    ("fauxqs", "sqs_30_order_on_a_standard_queue"): _SAME_EVERYWHERE,
    ("elasticmq", "sqs_30_order_on_a_standard_queue"): _SAME_EVERYWHERE,
}
