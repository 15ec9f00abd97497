"""each_record: write a handler for one record; the failures of a batch are reported for you (SQS-100, SQS-101)."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, overload

from eventmap.errors import HandlerBatchFailed

RecordHandler = Callable[[Any, Any], object]
BatchHandler = Callable[[Any, Any], Any]
AfterFifoFailure = Literal["stop", "skip_group"]

RESPONSE_TYPES_MARK = "function_response_types"  #: the attribute by which a mapping learns how its handler answers

_log = logging.getLogger("eventmap.records")


@overload
def each_record(handler: RecordHandler, /) -> BatchHandler: ...


@overload
def each_record(
    *, after_fifo_failure: AfterFifoFailure = "stop", raise_on_entire_batch_failure: bool = True
) -> Callable[[RecordHandler], BatchHandler]: ...


def each_record(
    handler: RecordHandler | None = None,
    /,
    *,
    after_fifo_failure: AfterFifoFailure = "stop",
    raise_on_entire_batch_failure: bool = True,
) -> BatchHandler | Callable[[RecordHandler], BatchHandler]:
    """Turn `def handler(record, context)` (or `async def`) into a Lambda handler that answers `batchItemFailures`.

    A record whose handler raises is failed, the others go on. The answer means nothing unless the mapping has
    `ReportBatchItemFailures`: `App` and `eventmap run` turn it on for such a handler; in AWS set it yourself.
    On a FIFO queue order must hold, so `after_fifo_failure` says what is not tried any more and reported with the
    failed record: "stop" = everything after it, "skip_group" = what follows in its message group. With
    `raise_on_entire_batch_failure` a batch of nothing but failures raises HandlerBatchFailed: an error one sees.

    On a stream everything from the first failure on is delivered again, so nothing after it is tried.

    Records run one after another, in order. Rules: SQS-100, SQS-101, STR-62, 63, 70.
    """
    if after_fifo_failure not in ("stop", "skip_group"):
        raise ValueError(f'after_fifo_failure must be "stop" or "skip_group", not {after_fifo_failure!r}')

    def collect(event: Any) -> _Failures:
        return _Failures(event["Records"], after_fifo_failure, raise_on_entire_batch_failure)

    def wrap(record_handler: RecordHandler) -> BatchHandler:
        batch_handler = _batch_handler(record_handler, collect)
        setattr(batch_handler, RESPONSE_TYPES_MARK, ["ReportBatchItemFailures"])
        return batch_handler

    return wrap if handler is None else wrap(handler)


def _batch_handler(record_handler: RecordHandler, collect: Callable[[Any], _Failures]) -> BatchHandler:
    if inspect.iscoroutinefunction(record_handler):
        awaitable: Callable[[Any, Any], Awaitable[object]] = record_handler

        @functools.wraps(record_handler)
        async def handle_async(event: Any, context: Any) -> dict[str, Any]:
            failures = collect(event)
            for record in failures.to_run():
                try:
                    await awaitable(record, context)
                except Exception as error:  # the record's failure is data, not ours to raise
                    failures.add(record, error)
            return failures.answer()

        return handle_async

    @functools.wraps(record_handler)
    def handle(event: Any, context: Any) -> dict[str, Any]:
        failures = collect(event)
        for record in failures.to_run():
            try:
                record_handler(record, context)
            except Exception as error:  # the record's failure is data, not ours to raise
                failures.add(record, error)
        return failures.answer()

    return handle


class _Failures:
    """The failures of one batch, and by them what is not run any more."""

    def __init__(self, records: list[Any], after_fifo_failure: AfterFifoFailure, raises: bool) -> None:
        self._records = records
        self._stream = bool(records) and ("kinesis" in records[0] or "dynamodb" in records[0])
        self._fifo = bool(records) and str(records[0].get("eventSourceARN", "")).endswith(".fifo")
        self._skips_group = after_fifo_failure == "skip_group"
        self._raises = raises
        self._failed: list[str] = []
        self._groups: set[str] = set()
        self._errors: list[Exception] = []

    def to_run(self) -> Iterable[Any]:
        for record in self._records:
            if self._stream and self._failed:
                return
            if self._fifo and self._groups and (not self._skips_group or _group(record) in self._groups):
                self._failed.append(_item_id(record))
            else:
                yield record

    def add(self, record: Any, error: Exception) -> None:
        item_id = _item_id(record)
        _log.warning("record failed: message %s", item_id, exc_info=error)
        self._failed.append(item_id)
        self._errors.append(error)
        if not self._stream:
            self._groups.add(_group(record))

    def answer(self) -> dict[str, Any]:
        if self._records and self._raises and len(self._failed) == len(self._records):
            raise HandlerBatchFailed(
                f"all {len(self._records)} records of the batch failed, the first with {self._errors[0]!r}"
            ) from self._errors[0]
        return {"batchItemFailures": [{"itemIdentifier": item_id} for item_id in self._failed]}


def _item_id(record: Any) -> str:
    """What a partial response calls this record (SQS-99, STR-70)."""
    if "kinesis" in record:
        return str(record["kinesis"]["sequenceNumber"])
    if "dynamodb" in record:
        return str(record["dynamodb"]["SequenceNumber"])
    return str(record["messageId"])


def _group(record: Any) -> str:
    return str(record["attributes"].get("MessageGroupId", ""))
