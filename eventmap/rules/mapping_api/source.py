"""Which service an event source's ARN belongs to, and which of them are polled here (API-08)."""

from __future__ import annotations

import re
from typing import Final, Literal

from eventmap.errors import InvalidParameterValue
from eventmap.mapping import NOT_POLLED, not_polled
from eventmap.model import JsonObject

Source = Literal["sqs", "kinesis", "dynamodb"]

_ARN: Final = re.compile(r"arn:aws[a-zA-Z0-9-]*:([a-zA-Z0-9-]+):[a-z0-9-]*:(?:\d{12})?:(.+)", re.ASCII)
_POLLED: Final[dict[str, Source]] = {"sqs": "sqs", "kinesis": "kinesis", "dynamodb": "dynamodb"}


def event_source_of(body: JsonObject) -> tuple[Source, str]:
    """The source of a CreateEventSourceMapping request, and its ARN.

    Raises: InvalidParameterValue for one that Lambda does not know, and for those that are not polled here.
    """
    arn = body.get("EventSourceArn")
    if arn is None and body.get("SelfManagedEventSource") is not None:
        if body.get("SourceAccessConfigurations") is None:
            raise InvalidParameterValue("Required 'sourceAccessConfigurations' parameter is missing.")
        raise not_polled("a self-managed Kafka cluster")
    if not isinstance(arn, str) or (match := _ARN.fullmatch(arn)) is None:
        raise InvalidParameterValue("Unrecognized event source.")
    service, resource = match.groups()
    if service in NOT_POLLED:
        raise not_polled(NOT_POLLED[service])
    if service == "dynamodb" and "/stream/" not in resource:
        # Our own mappings take a table for whatever stream it has; the ARN that AWS' API answers is a stream's.
        raise InvalidParameterValue(f"Unrecognized event source. {arn} is no stream: give the table's LatestStreamArn")
    if (source := _POLLED.get(service)) is None:
        raise InvalidParameterValue("Unrecognized event source.")
    return source, arn
