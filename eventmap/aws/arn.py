"""What a user writes for a queue — its name, URL or ARN — as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from eventmap.errors import InvalidParameterValue

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d{1,2}", re.ASCII)
_ARN_REGION = re.compile(r"[a-z0-9-]+", re.ASCII)  # emulators make up names that no region has
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")
_ACCOUNT_OF_EMULATORS = "000000000000"


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
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        if (parts.hostname or "").endswith(_AWS_DOMAINS):
            return None
        return f"{parts.scheme}://{parts.netloc}"


def parse_queue(text: str) -> QueueReference:
    """Read NAME, URL or ARN. Raises: InvalidParameterValue naming `text`."""
    if text.startswith("arn:"):
        return _from_arn(text)
    if "://" in text:
        return _from_url(text)
    return QueueReference(_name(text, text))


def queue_arn(attributes: Mapping[str, str], *, url: str, region: str) -> str:
    """The queue's ARN: its own word for it, or one composed for a server that does not say.

    Raises: InvalidParameterValue if neither the attributes nor `url` name the queue.
    """
    stated = attributes.get("QueueArn")
    if stated:
        return stated
    queue = _from_url(url)
    return f"arn:{partition(region)}:sqs:{region}:{queue.account or _ACCOUNT_OF_EMULATORS}:{queue.name}"


def partition(region: str) -> str:
    """The part of AWS a region belongs to, as ARNs spell it."""
    for prefix, name in (
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
    ):
        if region.startswith(prefix):
            return name
    return "aws"


def _from_arn(text: str) -> QueueReference:
    parts = text.split(":")
    if len(parts) != 6 or parts[2] != "sqs" or not _ARN_REGION.fullmatch(parts[3]) or not _ACCOUNT.fullmatch(parts[4]):
        raise InvalidParameterValue(
            f"{text!r} is not the ARN of an SQS queue; it looks like arn:aws:sqs:us-east-1:123456789012:orders"
        )
    return QueueReference(_name(parts[5], text), region=parts[3], account=parts[4])


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
