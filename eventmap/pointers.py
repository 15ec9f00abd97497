"""Payloads put in their pointers' place: from buckets on a list, up to a size (SNS-142)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from eventmap import telemetry
from eventmap.errors import SourceError
from eventmap.rules.s3_pointer import pointer_of, with_payload

_log = telemetry.logger("eventmap.pointers")


class ObjectReader(Protocol):
    """Reads from buckets."""

    async def get_object(self, bucket: str, key: str, *, limit_bytes: int) -> bytes:
        """An object of at most that size. Raises: ObjectNotFound, ObjectTooLarge, SourceError and its other kinds."""


class PointerResolver:
    """`buckets` are those that may be read; pointers to others stay as they are, as Lambda leaves all of them."""

    def __init__(self, reader: ObjectReader, buckets: Collection[str], *, limit_bytes: int) -> None:
        self._reader = reader
        self._buckets = frozenset(buckets)
        self._limit_bytes = limit_bytes
        self._ignored: set[str] = set()

    def concerns(self, body: str) -> bool:
        """Whether `resolved` has anything to fetch."""
        pointer = pointer_of(body)
        if pointer is None:
            return False
        if pointer.bucket in self._buckets:
            return True
        if pointer.bucket not in self._ignored and len(self._ignored) < 1_000:
            self._ignored.add(pointer.bucket)
            _log.info(telemetry.POINTER_IGNORED, bucket=pointer.bucket)
        return False

    async def resolved(self, body: str) -> str:
        """The message with its payload. Raises: as `ObjectReader`; SourceError if the payload is not text."""
        if not self.concerns(body):
            return body
        pointer = pointer_of(body)
        assert pointer is not None
        try:
            payload = await self._reader.get_object(pointer.bucket, pointer.key, limit_bytes=self._limit_bytes)
            return with_payload(body, payload.decode())
        except UnicodeDecodeError as error:
            raise SourceError(f"object {pointer.key!r} of bucket {pointer.bucket!r} is not UTF-8 text") from error
        except SourceError as error:
            _log.warning(telemetry.POINTER_UNRESOLVED, bucket=pointer.bucket, key=pointer.key, error=str(error))
            raise
