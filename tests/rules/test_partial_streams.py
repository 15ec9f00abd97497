"""What a response means for a batch of a stream."""

from __future__ import annotations

import pytest

from eventmap.model import (
    Failed,
    FunctionError,
    Outcome,
    PartlyFailed,
    Refused,
    Response,
    Returned,
    StreamRecord,
    Succeeded,
    Throttled,
    TimedOut,
)
from eventmap.rules.partial import stream_outcome

RECORDS = [StreamRecord(item_id, {}, int(item_id), "key", 0.0) for item_id in ("9", "10", "11")]


def read(response: Response, *, reports: bool = True) -> Outcome:
    return stream_outcome(response, RECORDS, reports_item_failures=reports)


def partly(*item_ids: str) -> PartlyFailed:
    return PartlyFailed(frozenset(item_ids))


RETURNED: dict[str, tuple[bytes, Outcome | type[Failed]]] = {
    "STR-60-null": (b"null", Succeeded()),
    "STR-60-spaced-null": (b" null", Succeeded()),
    "STR-60-object": (b"{}", Succeeded()),
    "STR-60-text": (b'""', Succeeded()),
    "STR-60-list": (b"[]", Succeeded()),
    "STR-61-empty": (b'{"batchItemFailures":[]}', Succeeded()),
    "STR-61-null": (b'{"batchItemFailures":null}', Succeeded()),
    "STR-62": (b'{"batchItemFailures":[{"itemIdentifier":"10"}]}', partly("10")),
    "STR-62-the-first": (b'{"batchItemFailures":[{"itemIdentifier":"9"}]}', partly("9")),
    "STR-63": (b'{"batchItemFailures":[{"itemIdentifier":"11"},{"itemIdentifier":"9"}]}', partly("9", "11")),
    "STR-63-every-one": (
        b'{"batchItemFailures":[{"itemIdentifier":"9"},{"itemIdentifier":"10"},{"itemIdentifier":"11"}]}',
        partly("9", "10", "11"),
    ),
    "STR-63-twice": (b'{"batchItemFailures":[{"itemIdentifier":"10"},{"itemIdentifier":"10"}]}', partly("10")),
    "STR-64-empty": (b'{"batchItemFailures":[{"itemIdentifier":""}]}', Failed),
    "STR-64-null": (b'{"batchItemFailures":[{"itemIdentifier":null}]}', Failed),
    "STR-65": (b'{"batchItemFailures":[{"foo":"10"}]}', Failed),
    "STR-65-no-member": (b'{"batchItemFailures":[{}]}', Failed),
    "STR-65-no-object": (b'{"batchItemFailures":["10"]}', Failed),
    "STR-65-no-list": (b'{"batchItemFailures":{"itemIdentifier":"10"}}', Failed),
    "STR-66-text": (b'{"batchItemFailures":[{"itemIdentifier":"12"}]}', Failed),
    "STR-66-number": (b'{"batchItemFailures":[{"itemIdentifier":10}]}', Failed),
    "STR-66-beside-one-of-the-batch": (
        b'{"batchItemFailures":[{"itemIdentifier":"10"},{"itemIdentifier":"12"}]}',
        Failed,
    ),
    "STR-66-another-spelling": (b'{"batchItemFailures":[{"itemIdentifier":"010"}]}', Failed),
    "STR-68": (b"batchItemFailures", Failed),
    "STR-68-nothing": (b"", Failed),
    "STR-72": (b'{"state":{"a":1},"batchItemFailures":[{"itemIdentifier":"10"}]}', partly("10")),
}


@pytest.mark.parametrize("case", RETURNED)
def test_str_60_to_66_68_72_what_a_returned_value_means(case: str) -> None:
    """STR-60..66, 68, 72: every row of the table; identifiers are sequence numbers as the source spells them."""
    payload, expected = RETURNED[case]

    verdict = read(Returned(payload))

    if isinstance(expected, type):
        assert isinstance(verdict, expected)
        assert "STR-" in verdict.reason
    else:
        assert expected == verdict


@pytest.mark.parametrize("case", RETURNED)
def test_str_69_without_the_option_a_returned_value_means_nothing(case: str) -> None:
    """STR-69: success is all that can be read from it, whatever it says."""
    assert Succeeded() == read(Returned(RETURNED[case][0]), reports=False)


@pytest.mark.parametrize("reports", [True, False])
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (FunctionError(b'{"errorType":"ValueError"}', "ValueError"), Failed("ValueError")),
        (FunctionError(b"{}", "Sandbox.Timedout", timed_out=True), TimedOut()),
        (Refused("TooManyRequestsException"), Throttled("TooManyRequestsException")),
    ],
    ids=["raised", "timed out", "refused"],
)
def test_str_34_67_an_error_fails_the_batch_and_a_refusal_does_not(
    response: Response, expected: Outcome, reports: bool
) -> None:
    """STR-34, 67: a function error is a full failure, a throttle is none, whatever the response types."""
    assert expected == read(response, reports=reports)


def test_str_66_83_a_final_invocation_without_records_has_nothing_to_name() -> None:
    """STR-66, 83: with no records every identifier is foreign, and no identifier is success."""
    named = Returned(b'{"state":{},"batchItemFailures":[{"itemIdentifier":"9"}]}')

    assert isinstance(stream_outcome(named, (), reports_item_failures=True), Failed)
    assert stream_outcome(Returned(b'{"state":{}}'), (), reports_item_failures=True) == Succeeded()
