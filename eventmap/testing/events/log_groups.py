"""CloudWatch Logs' events, as a function gets them (SRC-130..132)."""

from __future__ import annotations

from eventmap.model import JsonObject
from eventmap.rules.events.logs import logs_event, pack_logs
from eventmap.testing.events.content import needed, text_of
from eventmap.testing.origin import HERE, Origin


def logs(
    *messages: object,
    log_group: str = "/aws/lambda/orders",
    log_stream: str = "2026/01/01/[$LATEST]0",
    subscription_filter: str = "eventmap",
    control: bool = False,
    origin: Origin = HERE,
) -> JsonObject:
    """Lines of a log group, as its subscription sends them to a function; what is not text is written as JSON.

    `control` makes the probe by which CloudWatch tries a new subscription: a handler passes it by (SRC-131).
    Raises: InvalidParameterValue for no message.
    """
    return logs_event(_document(messages, log_group, log_stream, subscription_filter, control, origin))


def logs_data(
    *messages: object,
    log_group: str = "/aws/lambda/orders",
    log_stream: str = "2026/01/01/[$LATEST]0",
    subscription_filter: str = "eventmap",
    control: bool = False,
    origin: Origin = HERE,
) -> bytes:
    """The same as the data of a Kinesis record, for `kinesis` (SRC-132)."""
    return pack_logs(_document(messages, log_group, log_stream, subscription_filter, control, origin))


def _document(
    messages: tuple[object, ...], group: str, stream: str, subscription_filter: str, control: bool, origin: Origin
) -> JsonObject:
    probe = ("CWL CONTROL MESSAGE: Checking health of destination",)
    return {
        "messageType": "CONTROL_MESSAGE" if control else "DATA_MESSAGE",
        "owner": "CloudwatchLogs" if control else origin.account_id,
        "logGroup": "" if control else group,
        "logStream": "" if control else stream,
        "subscriptionFilters": [] if control else [subscription_filter],
        "logEvents": [
            {
                "id": "" if control else f"{36_000_000_000_000_000 + origin.offset(number):056d}",
                "timestamp": origin.epoch_ms,
                "message": text_of(message),
            }
            for number, message in enumerate(probe if control else needed(messages, "CloudWatch Logs"))
        ],
    }
