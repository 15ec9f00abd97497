"""What a response means for its batch."""

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
    Succeeded,
    Throttled,
    TimedOut,
)
from eventmap.rules.partial import outcome

from .records import batch

ABC = batch("a", "b", "c")

RETURNED: dict[str, tuple[bytes, Outcome | type[Failed]]] = {
    "SQS-80": (b"null", Succeeded()),
    "SQS-81": (b"{}", Succeeded()),
    "SQS-82": (b'""', Succeeded()),
    "SQS-83": (b"[]", Succeeded()),
    "SQS-84": (b'{"batchItemFailures":[]}', Succeeded()),
    "SQS-85": (b'{"batchItemFailures":null}', Succeeded()),
    "SQS-86": (b'{"statusCode":200}', Succeeded()),
    "SQS-86-misspelt": (b'{"BatchItemFailures":[{"itemIdentifier":"a"}]}', Succeeded()),
    "SQS-87": (b'{"batchItemFailures":[{"itemIdentifier":"b"}]}', PartlyFailed(frozenset("b"))),
    "SQS-87-beside-another-key": (
        b'{"statusCode":200,"batchItemFailures":[{"itemIdentifier":"b","foo":1}]}',
        PartlyFailed(frozenset("b")),
    ),
    "SQS-88": (
        b'{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}',
        Failed,
    ),
    "SQS-89": (
        b'{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}',
        PartlyFailed(frozenset("b")),
    ),
    "SQS-90": (b'{"batchItemFailures":[{"itemIdentifier":""}]}', Failed),
    "SQS-91": (b'{"batchItemFailures":[{"itemIdentifier":null}]}', Failed),
    "SQS-92": (b'{"batchItemFailures":[{"foo":"x"}]}', Failed),
    "SQS-92a": (b'{"batchItemFailures":[{}]}', Failed),
    "SQS-93": (b'{"batchItemFailures":[{"itemIdentifier":"z"}]}', Failed),
    "SQS-93-beside-a-valid-one": (b'{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}', Failed),
    "SQS-94": (b'{"batchItemFailures":[{"itemIdentifier":123}]}', Failed),
    "SQS-94-list": (b'{"batchItemFailures":[{"itemIdentifier":["a"]}]}', Failed),
    "SQS-95": (b"{batchItemFailures", Failed),
    "SQS-95-empty": (b"", Failed),
    "SQS-95-nan": (b'{"batchItemFailures":NaN}', Failed),
    "SQS-96": (b'{"batchItemFailures":{"itemIdentifier":"a"}}', Failed),
    "SQS-96-string": (b'{"batchItemFailures":"a"}', Failed),
    "SQS-96-false": (b'{"batchItemFailures":false}', Failed),
    "SQS-96-entry-is-a-string": (b'{"batchItemFailures":["a"]}', Failed),
    "SQS-96-entry-is-null": (b'{"batchItemFailures":[null]}', Failed),
    "SQS-98-number": (b"5", Succeeded()),
    "SQS-98-text": (b'"ok"', Succeeded()),
    "SQS-98-true": (b"true", Succeeded()),
}


def read(response: Response, *, reports: bool = True, lenient: bool = False) -> Outcome:
    return outcome(response, ABC, reports_item_failures=reports, lenient_empty_entry=lenient)


@pytest.mark.parametrize("case", RETURNED)
def test_sqs_80_to_99_what_a_returned_value_means(case: str) -> None:
    """SQS-80..96, 98, 99: every row of the table; identifiers are message ids."""
    payload, expected = RETURNED[case]

    verdict = read(Returned(payload))

    if isinstance(expected, type):
        assert isinstance(verdict, expected)
    else:
        assert expected == verdict


@pytest.mark.parametrize("case", [case for case in RETURNED if "95" not in case])
def test_sqs_54_without_the_option_a_returned_value_means_nothing(case: str) -> None:
    """SQS-54: success is all that can be read from it, whatever it says."""
    assert Succeeded() == read(Returned(RETURNED[case][0]), reports=False)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (b"[{}]", Succeeded()),
        (b'[{},{"itemIdentifier":"a"}]', PartlyFailed(frozenset("a"))),
        (b'[{"foo":1}]', Failed("batchItemFailures has an entry that names no record of the batch (SQS-90..94)")),
    ],
)
def test_sqs_92a_lenient_an_entry_without_members_names_no_failure(entries: bytes, expected: Outcome) -> None:
    """SQS-92a: the observed variant, for an entry `{}` alone and as a setting only."""
    assert expected == read(Returned(b'{"batchItemFailures":' + entries + b"}"), lenient=True)


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
def test_sqs_55_56_97_an_error_fails_the_batch_with_and_without_the_option(
    response: Response, expected: Outcome, reports: bool
) -> None:
    """SQS-55, 56, 97: a function error is a full failure and a refusal is none, whatever the response types."""
    assert expected == read(response, reports=reports)


def test_sqs_88_naming_the_only_record_is_a_full_failure() -> None:
    """SQS-88: a batch of one has no partial failure."""
    answer = Returned(b'{"batchItemFailures":[{"itemIdentifier":"a"}]}')

    verdict = outcome(answer, batch("a"), reports_item_failures=True, lenient_empty_entry=False)

    assert isinstance(verdict, Failed)


def test_sqs_55_a_response_of_no_known_kind_is_an_error_of_ours() -> None:
    """The union is closed: a kind nobody decided on stops here instead of deleting a batch."""
    with pytest.raises(AssertionError):
        read("neither returned nor failed")  # type: ignore[arg-type]
