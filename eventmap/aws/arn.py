"""What a user writes for a queue or a stream — its name, ARN or URL — as a value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from eventmap.aws.endpoint import is_aws
from eventmap.errors import InvalidParameterValue
from eventmap.stream_mapping import EventSource

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo", re.ASCII)
_STREAM_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)
_STREAM_LABEL = re.compile(r"[A-Za-z0-9:._-]+", re.ASCII)  # a time, such as 2024-06-10T19:26:16.525
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
_ARN_REGION = re.compile(r"[a-z0-9-]+", re.ASCII)  # emulators make up names that no region has

_QUEUE_SHAPE = "the ARN of an SQS queue; it looks like arn:aws:sqs:us-east-1:123456789012:orders"
_KINESIS_SHAPE = "the ARN of a Kinesis stream; it looks like arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
_TABLE_SHAPE = (
    "the ARN of a DynamoDB table or its stream; it looks like arn:aws:dynamodb:us-east-1:123456789012:table/orders, "
    "with /stream/2026-01-31T12:00:00.000 for one stream of it"
)


@dataclass(frozen=True, slots=True)
class QueueReference:
    """A queue as the user named it; None where that said nothing."""

    name: str
    region: str | None = None
    account: str | None = None  #: twelve digits
    url: str | None = None

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def endpoint_url(self) -> str | None:
        """The server a URL points to, if it is not AWS'; None leaves the endpoint to the region."""
        if self.url is None or is_aws(self.url):
            return None
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class StreamReference:
    """A stream as the user named it; None where that said nothing."""

    event_source: EventSource
    name: str  #: the Kinesis stream's, or the table's
    region: str | None = None
    account: str | None = None  #: twelve digits
    stream_arn: str | None = None  #: of one stream; None = by name, or, for a table, whichever stream it has
    table_arn: str | None = None  #: DynamoDB only, and only if the table's ARN was given


def parse_queue(text: str) -> QueueReference:
    """Read NAME, URL or ARN. Raises: InvalidParameterValue naming `text`."""
    if text.startswith("arn:"):
        return _from_arn(text)
    if "://" in text:
        return _from_url(text)
    return QueueReference(_name(text, text))


def parse_stream(text: str, event_source: EventSource) -> StreamReference:
    """Read the name or ARN of a Kinesis stream, or the name, ARN or stream ARN of a table.

    Raises: InvalidParameterValue naming `text`; for the ARN of a registered consumer, too (STR-18).
    """
    return _kinesis_stream(text) if event_source == "kinesis" else _table_stream(text)


def _kinesis_stream(text: str) -> StreamReference:
    if not text.startswith("arn:"):
        if not _STREAM_NAME.fullmatch(text):
            raise InvalidParameterValue(
                f"{text!r} names no Kinesis stream: a stream name has 1 to 128 letters, digits, hyphens, underscores "
                "and dots; give NAME or an ARN"
            )
        return StreamReference("kinesis", text)
    region, account, resource = _arn_parts(text, "kinesis", _KINESIS_SHAPE)
    kind, _, rest = resource.partition("/")
    name, _, consumer = rest.partition("/")
    if kind != "stream" or not _STREAM_NAME.fullmatch(name):
        raise InvalidParameterValue(f"{text!r} is not {_KINESIS_SHAPE}")
    if consumer.startswith("consumer/"):
        raise InvalidParameterValue(
            f"{text!r} is a registered consumer, and enhanced fan-out is not offered: "
            f"name the stream itself, {text.removesuffix(f'/{consumer}')}"
        )
    if consumer:
        raise InvalidParameterValue(f"{text!r} is not {_KINESIS_SHAPE}")
    return StreamReference("kinesis", name, region, account, stream_arn=text)


def _table_stream(text: str) -> StreamReference:
    if not text.startswith("arn:"):
        if not _TABLE_NAME.fullmatch(text):
            raise InvalidParameterValue(
                f"{text!r} names no DynamoDB table: a table name has 3 to 255 letters, digits, hyphens, underscores "
                "and dots; give NAME, the table's ARN or its stream's"
            )
        return StreamReference("dynamodb", text)
    region, account, resource = _arn_parts(text, "dynamodb", _TABLE_SHAPE)
    match resource.split("/", 3):
        case ["table", name] if _TABLE_NAME.fullmatch(name):
            return StreamReference("dynamodb", name, region, account, table_arn=text)
        case ["table", name, "stream", label] if _TABLE_NAME.fullmatch(name) and _STREAM_LABEL.fullmatch(label):
            return StreamReference("dynamodb", name, region, account, stream_arn=text)
        case _:
            raise InvalidParameterValue(f"{text!r} is not {_TABLE_SHAPE}")


def _arn_parts(text: str, service: str, shape: str) -> tuple[str, str, str]:
    """(region, account, resource) of an ARN of that service."""
    parts = text.split(":", 5)
    if (
        len(parts) != 6
        or parts[2] != service
        or not _ARN_REGION.fullmatch(parts[3])
        or not _ACCOUNT.fullmatch(parts[4])
    ):
        raise InvalidParameterValue(f"{text!r} is not {shape}")
    return parts[3], parts[4], parts[5]


def _from_arn(text: str) -> QueueReference:
    region, account, name = _arn_parts(text, "sqs", _QUEUE_SHAPE)
    return QueueReference(_name(name, text), region=region, account=account)


def _from_url(text: str) -> QueueReference:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username is not None:
        raise InvalidParameterValue(
            f"{text!r} is not the URL of an SQS queue; it looks like "
            "https://sqs.us-east-1.amazonaws.com/123456789012/orders"
        )
    path = [segment for segment in parts.path.split("/") if segment]
    name = _name(path[-1] if path else "", text)
    account = path[-2] if len(path) > 1 and _ACCOUNT.fullmatch(path[-2]) else None
    return QueueReference(name, region=_region_of_host(host), account=account, url=text)


def _region_of_host(host: str) -> str | None:
    for label in host.split("."):
        if _REGION.fullmatch(label):
            return label
    # The oldest form of queue URLs belongs to the first region.
    return "us-east-1" if host == "queue.amazonaws.com" else None


def _name(name: str, text: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"{text!r} names no queue: a queue name has 1 to 80 letters, digits, hyphens and underscores "
            "and may end in .fifo; give NAME, a queue URL or an ARN"
        )
    return name
