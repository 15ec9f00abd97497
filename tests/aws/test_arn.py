from __future__ import annotations

import pytest

from eventmap.aws.arn import QueueReference, parse_queue, queue_arn
from eventmap.errors import InvalidParameterValue

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


def test_the_queues_own_arn_wins_over_a_composed_one() -> None:
    """QueueArn is taken from the attributes, and composed from the URL where a server does not give it."""
    url = f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/orders"

    assert queue_arn({"QueueArn": "arn:aws:sqs:x:1:y"}, url=url, region="cn-north-1") == "arn:aws:sqs:x:1:y"
    assert queue_arn({}, url=url, region="cn-north-1") == f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders"
    assert queue_arn({}, url="http://h/queue/o", region="us-east-1") == "arn:aws:sqs:us-east-1:000000000000:o"


def test_a_reference_by_name_alone_has_no_endpoint() -> None:
    """Without a URL the endpoint is left to the region."""
    assert QueueReference("orders").endpoint_url is None
