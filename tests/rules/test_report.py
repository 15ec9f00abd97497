"""What an on-failure destination is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from eventmap.model import StreamRecord
from eventmap.rules.report import report, s3_key, with_payload
from eventmap.rules.window import Window

NOW = datetime(2019, 11, 14, 0, 38, 6, 21_999, tzinfo=UTC)
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2019-11-14T00:13:19.000"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
FIRST, LAST = 1_573_691_884.835, 1_573_691_885.58


def records(*times: float) -> list[StreamRecord]:
    return [StreamRecord(f"4960{place}", {"secret": place}, place, "k", at) for place, at in enumerate(times)]


def told(**settings: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "event_source": "kinesis",
        "stream_arn": STREAM,
        "function_arn": FUNCTION,
        "shard_id": "shardId-000000000001",
        "records": records(FIRST, LAST),
        "condition": "RetryAttemptsExhausted",
        "request_id": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
        "invoke_count": 2,
        "responded": True,
        "function_error": "Unhandled",
        "now": NOW,
    }
    return report(**(usual | settings))


def test_str_90_91_92_95_a_kinesis_report_is_the_documented_one() -> None:
    """STR-90, 91, 92, 95: key for key in AWS' order, milliseconds cut off, not rounded; an unqualified function."""
    assert json.dumps(told(), separators=(",", ":")) == (
        '{"requestContext":{"requestId":"c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",'
        '"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f",'
        '"condition":"RetryAttemptsExhausted","approximateInvokeCount":2},'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z",'
        '"KinesisBatchInfo":{"shardId":"shardId-000000000001","startSequenceNumber":"49600",'
        '"endSequenceNumber":"49601","approximateArrivalOfFirstRecord":"2019-11-14T00:38:04.835Z",'
        '"approximateArrivalOfLastRecord":"2019-11-14T00:38:05.580Z","batchSize":2,'
        '"streamArn":"arn:aws:kinesis:us-east-1:123456789012:stream/s"}}'
    )


def test_str_90_a_dynamodb_report_has_its_own_key_and_whole_seconds() -> None:
    """STR-90: the same seven members; the report's own time keeps its milliseconds."""
    answer = told(event_source="dynamodb", stream_arn=TABLE)

    assert list(answer) == ["requestContext", "responseContext", "version", "timestamp", "DDBStreamBatchInfo"]
    assert answer["timestamp"] == "2019-11-14T00:38:06.021Z"
    assert list(answer["DDBStreamBatchInfo"].items()) == [
        ("shardId", "shardId-000000000001"),
        ("startSequenceNumber", "49600"),
        ("endSequenceNumber", "49601"),
        ("approximateArrivalOfFirstRecord", "2019-11-14T00:38:04Z"),
        ("approximateArrivalOfLastRecord", "2019-11-14T00:38:05Z"),
        ("batchSize", 2),
        ("streamArn", TABLE),
    ]


@pytest.mark.parametrize(
    ("condition", "responded"),
    [("RecordAgeExceeded", False), ("RecordAgeExceeded", True), ("RetryAttemptsExhausted", False)],
)
def test_str_43_47_93_without_a_response_there_is_no_response_context(condition: str, responded: bool) -> None:
    """STR-43, 47, 93: never for age, and never when the event did not reach the function."""
    answer = told(condition=condition, responded=responded, function_error=None, invoke_count=1)

    assert list(answer) == ["requestContext", "version", "timestamp", "KinesisBatchInfo"]
    assert (answer["requestContext"]["condition"], answer["requestContext"]["approximateInvokeCount"]) == (condition, 1)


def test_str_71_94_after_partial_responses_the_function_error_is_null() -> None:
    """STR-71, 94: the member is there, and null; the status is 200 all the same."""
    answer = told(function_error=None)

    assert answer["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": None}


def test_str_95_times_are_in_utc_with_three_decimals_always() -> None:
    """STR-90, 95: a whole second still has .000, and other time zones are converted."""
    eastern = datetime(2019, 11, 13, 19, 38, 6, tzinfo=timezone(timedelta(hours=-5)))

    answer = told(now=eastern, records=records(1_573_691_884.0))

    assert answer["timestamp"] == "2019-11-14T00:38:06.000Z"
    assert answer["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"] == "2019-11-14T00:38:04.000Z"
    assert answer["KinesisBatchInfo"]["endSequenceNumber"] == answer["KinesisBatchInfo"]["startSequenceNumber"]


def test_str_96_the_records_themselves_are_not_told() -> None:
    """STR-96: sequence numbers to fetch them by, and no payload."""
    assert "secret" not in json.dumps(told())


def test_str_102a_a_final_invocation_without_records_says_where_it_was() -> None:
    """STR-102a: of the batch only shard and stream, and the window."""
    answer = told(records=(), window=Window(1_607_497_440, 1_607_497_560), is_final=True)

    assert list(answer["KinesisBatchInfo"].items()) == [("shardId", "shardId-000000000001"), ("streamArn", STREAM)]
    assert list(answer)[-1] == "timeWindowInfo"
    assert answer["timeWindowInfo"] == {
        "window": {"start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z"},
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


def test_str_102a_a_batch_of_a_window_tells_both() -> None:
    """STR-102a: the whole batch info beside the window; without tumbling windows there is no `timeWindowInfo`."""
    answer = told(window=Window(0, 60), is_final=True, is_early=True)

    assert answer["KinesisBatchInfo"]["batchSize"] == 2
    assert answer["timeWindowInfo"]["isWindowTerminatedEarly"] is True
    assert "timeWindowInfo" not in told()


def test_str_102b_the_stream_arn_is_shown_as_it_is_mapped() -> None:
    """STR-102b: a consumer's ARN in full."""
    consumer = f"{STREAM}/consumer/c:1573691884"

    assert told(stream_arn=consumer)["KinesisBatchInfo"]["streamArn"] == consumer


def test_str_97_the_s3_object_carries_the_event_as_a_string() -> None:
    """STR-97: the same report and, last, the whole event as escaped JSON text; the report itself is left alone."""
    plain = told()
    event = b'{"Records":[{"a":"\xc3\xa9\\""}]}'

    stored = with_payload(plain, event)

    assert list(stored) == [*plain, "payload"]
    assert json.loads(json.dumps(stored))["payload"].encode() == event
    assert "payload" not in plain


def test_str_98_the_s3_key_is_built_from_the_reports_time() -> None:
    """STR-98: date folders and a dotted time, in UTC."""
    eastern = datetime(2019, 11, 13, 19, 8, 6, 21_000, tzinfo=timezone(timedelta(hours=-5)))

    assert s3_key("b9c9-uuid", "shardId-000000000001", eastern, "6c9e-random") == (
        "aws/lambda/b9c9-uuid/shardId-000000000001/2019/11/14/2019-11-14T00.08.06-6c9e-random"
    )
