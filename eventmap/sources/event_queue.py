"""The queue in SQS where a fleet keeps asynchronous events: found or made, checked, sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from eventmap.errors import ConfigurationError, QueueNotFound, SourceError, TransientSourceError
from eventmap.rules.queued_message import check_queue, check_queue_name, queue_attributes
from eventmap.sources.sqs import QueueApi, QueueDescription, describe_queue

FUNCTION_IN_QUEUE_NAME: Final = "{function}"

_EXISTS: Final = frozenset({"QueueAlreadyExists", "QueueNameExists", "AWS.SimpleQueueService.QueueNameExists"})
_TRANSIENT_ENTRY: Final = frozenset({"InternalError", "InternalFailure", "NotConfirmed", "ServiceUnavailable"})


class EventQueueApi(QueueApi, Protocol):
    """What is asked of SQS beyond polling a queue that exists; raises as `QueueApi`."""

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str: ...

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]: ...


def event_queue_name(pattern: str, function_name: str, *, functions: int) -> str:
    """The queue of one of `functions` functions, by what the user wrote behind `sqs:`.

    Raises: ConfigurationError if several would share a queue.
    """
    if functions > 1 and FUNCTION_IN_QUEUE_NAME not in pattern:
        raise ConfigurationError(
            f"event queue {pattern!r} serves one function, and there are {functions}: write "
            f"sqs:{pattern}-{FUNCTION_IN_QUEUE_NAME}, which makes one queue for each"
        )
    return pattern.replace(FUNCTION_IN_QUEUE_NAME, function_name)


async def prepare_event_queue(
    api: EventQueueApi, name: str, function_timeout: int, *, owner: str | None = None, url: str | None = None
) -> QueueDescription:
    """The queue of that name, made if there is none; `url` skips the looking up, `owner` is another account.

    Raises: InvalidParameterValue for a queue that would lose events; QueueNotFound for another account's, or a URL's,
    that is not there; SourceError and its kinds.
    """
    check_queue_name(name)
    if url is None:
        url = await _found_or_made(api, name, function_timeout, owner)
    check_queue(name, await api.get_queue_attributes(url), function_timeout)
    return await describe_queue(api, url)


async def _found_or_made(api: EventQueueApi, name: str, function_timeout: int, owner: str | None) -> str:
    try:
        return await api.get_queue_url(name, owner)
    except QueueNotFound:
        if owner is not None:
            raise
    try:
        return await api.create_queue(name, queue_attributes(function_timeout))
    except SourceError as error:
        if error.code not in _EXISTS:
            raise
        return await api.get_queue_url(name)  # another worker made it in the same moment, for another timeout


class EventSender:
    """Sends messages to one queue; each call returns when SQS has confirmed its message."""

    def __init__(self, api: EventQueueApi, queue: QueueDescription) -> None:
        self._api = api
        self._queue = queue

    async def __call__(self, body: str, attributes: Mapping[str, tuple[str, str]], *, delay_s: int) -> None:
        """Raises: SourceError and its kinds."""
        entry = {
            "MessageBody": body,
            "MessageAttributes": {
                name: {"DataType": kind, "StringValue": text} for name, (kind, text) in attributes.items()
            },
            "DelaySeconds": delay_s,
        }
        failed = await self._api.send_message_batch(self._queue.url, [entry])
        if failed:
            said = f'event queue "{self._queue.arn}" did not take a message: {failed[0]}'
            raise (TransientSourceError if failed[0] in _TRANSIENT_ENTRY else SourceError)(said, code=failed[0])
