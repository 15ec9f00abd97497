from __future__ import annotations

import pytest

from eventmap.aws.arn import QueueReference, StreamReference, parse_queue, parse_stream
from eventmap.errors import InvalidParameterValue
from eventmap.stream_mapping import EventSource

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("text", "name", "region", "account", "endpoint_url"),
    [
        ("orders", "orders", None, None, None),
        ("orders.fifo", "orders.fifo", None, None, None),
        (f"arn:aws:sqs:eu-west-1:{ACCOUNT}:orders", "orders", "eu-west-1", ACCOUNT, None),
        (f"arn:aws-us-gov:sqs:us-gov-west-1:{ACCOUNT}:o.fifo", "o.fifo", "us-gov-west-1", ACCOUNT, None),
        (f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders", "orders", "eu-west-1", ACCOUNT, None),
        (f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/orders", "orders", "cn-north-1", ACCOUNT, None),
        (f"https://queue.amazonaws.com/{ACCOUNT}/orders", "orders", "us-east-1", ACCOUNT, None),
        (f"https://eu-west-1.queue.amazonaws.com/{ACCOUNT}/orders", "orders", "eu-west-1", ACCOUNT, None),
        (f"https://sqs.eu-west-1.api.aws/{ACCOUNT}/orders", "orders", "eu-west-1", ACCOUNT, None),
        ("http://localhost:4566/000000000000/orders", "orders", None, "000000000000", "http://localhost:4566"),
        ("http://localhost:9324/queue/orders", "orders", None, None, "http://localhost:9324"),
        (
            "http://sqs.us-east-1.localhost:3000/000000000000/o.fifo",
            "o.fifo",
            "us-east-1",
            "000000000000",
            "http://sqs.us-east-1.localhost:3000",
        ),
    ],
)
def test_a_queue_is_named_by_name_url_or_arn(
    text: str, name: str, region: str | None, account: str | None, endpoint_url: str | None
) -> None:
    """Each form yields the name and what else it says."""
    queue = parse_queue(text)

    assert (name, region, account) == (queue.name, queue.region, queue.account)
    assert endpoint_url == queue.endpoint_url
    assert queue.is_fifo == text.endswith(".fifo")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "x" * 81,
        "orders.fifo.fifo",
        "orders.txt",
        "arn:aws:sns:us-east-1:123456789012:orders",
        "arn:aws:sqs:us-east-1:12:orders",
        "arn:aws:sqs:us-east-1:123456789012:orders:more",
        "https://sqs.eu-west-1.amazonaws.com/",
        "ftp://host/orders",
        "http://user@host/000000000000/orders",
        "http://[broken/orders",
        "http://host/orders?x=1",
    ],
)
def test_what_names_no_queue_is_refused_by_its_own_name(text: str) -> None:
    """The message quotes what was given."""
    with pytest.raises(InvalidParameterValue) as refusal:
        parse_queue(text)

    assert repr(text) in str(refusal.value)


def test_a_reference_by_name_alone_has_no_endpoint() -> None:
    """Without a URL the endpoint is left to the region."""
    assert QueueReference("orders").endpoint_url is None


KINESIS = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/clicks.v2"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/orders"
TABLE_STREAM = f"{TABLE}/stream/2024-06-10T19:26:16.525"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clicks.v2", StreamReference("kinesis", "clicks.v2")),
        ("c" * 128, StreamReference("kinesis", "c" * 128)),
        (KINESIS, StreamReference("kinesis", "clicks.v2", "eu-west-1", ACCOUNT, stream_arn=KINESIS)),
        ("ord", StreamReference("dynamodb", "ord")),
        (TABLE, StreamReference("dynamodb", "orders", "eu-west-1", ACCOUNT, table_arn=TABLE)),
        (TABLE_STREAM, StreamReference("dynamodb", "orders", "eu-west-1", ACCOUNT, stream_arn=TABLE_STREAM)),
    ],
)
def test_str_18_a_stream_is_named_by_name_or_arn(text: str, expected: StreamReference) -> None:
    """Each form yields the name and what else it says."""
    assert expected == parse_stream(text, expected.event_source)


@pytest.mark.parametrize(
    ("text", "event_source", "looks_like"),
    [
        ("", "kinesis", "NAME or an ARN"),
        ("a b", "kinesis", "NAME or an ARN"),
        ("c" * 129, "kinesis", "NAME or an ARN"),
        (TABLE, "kinesis", ":stream/clicks"),
        (f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:clicks", "kinesis", ":stream/clicks"),
        (f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/", "kinesis", ":stream/clicks"),
        (f"{KINESIS}/more", "kinesis", ":stream/clicks"),
        ("arn:aws:kinesis:eu-west-1:12:stream/clicks", "kinesis", ":stream/clicks"),
        ("ab", "dynamodb", "NAME, the table's ARN"),
        ("t" * 256, "dynamodb", "NAME, the table's ARN"),
        (KINESIS, "dynamodb", ":table/orders"),
        (f"{TABLE}/index/by-day", "dynamodb", ":table/orders"),
        (f"{TABLE}/stream", "dynamodb", ":table/orders"),
        (f"{TABLE}/stream/", "dynamodb", ":table/orders"),
        (f"{TABLE_STREAM}/shard", "dynamodb", ":table/orders"),
    ],
)
def test_str_17_what_names_no_stream_is_refused_by_its_own_name(
    text: str, event_source: EventSource, looks_like: str
) -> None:
    """The message quotes what was given and shows what it should look like."""
    with pytest.raises(InvalidParameterValue, match=looks_like) as refusal:
        parse_stream(text, event_source)

    assert repr(text) in str(refusal.value)


def test_str_18_33_a_registered_consumer_is_refused_with_the_streams_own_arn() -> None:
    """Enhanced fan-out is not offered; the message names the ARN to use."""
    with pytest.raises(InvalidParameterValue, match="enhanced fan-out") as refusal:
        parse_stream(f"{KINESIS}/consumer/app:1700000000", "kinesis")

    assert str(refusal.value).endswith(KINESIS)
