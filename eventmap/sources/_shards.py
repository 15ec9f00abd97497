"""What Kinesis and DynamoDB Streams share as sources: the list of shards, and one shard read by iterators."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import anyio

from eventmap import telemetry
from eventmap.clock import elapsed_s, wall_time_s
from eventmap.errors import (
    AccessRefused,
    IteratorExpired,
    RecordsTrimmed,
    ShardGone,
    SourceError,
    TransientSourceError,
)
from eventmap.model import StreamRecord
from eventmap.shard import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Page, Position, Shard

LISTING_INTERVAL_S: Final = 60.0  #: the age at which a listing of shards is made anew (STR-156)

# One read may find its iterator expired, then the position behind it trimmed, then be answered.
_ITERATORS_PER_READ = 3
_NOT_A_SEQUENCE_OF_THE_SHARD = frozenset({"InvalidArgumentException", "ValidationException"})


class ShardDirectory:
    """The shards of one stream, listed at most once per `interval_s` seconds however many mappings ask (STR-140, 156).

    One listing is under way at a time. One that failed is not shared: whoever waited for it makes its own.
    """

    def __init__(
        self, list_all: Callable[[], Awaitable[tuple[Shard, ...]]], *, interval_s: float = LISTING_INTERVAL_S
    ) -> None:
        self._list_all = list_all
        self._interval_s = interval_s
        self._listed: tuple[Shard, ...] | None = None
        self._listed_at = 0.0  # on the loop's clock, when the listing began
        self._listings = 0  # how many have succeeded
        self._listing = anyio.Lock()

    async def shards(self, *, fresh: bool = False) -> tuple[Shard, ...]:
        """All shards; `fresh` = from a listing that is under way or begins now, however young the last one is.

        Raises: SourceError and its kinds.
        """
        if not fresh and self._listed is not None and elapsed_s() - self._listed_at < self._interval_s:
            return self._listed
        seen = self._listings
        async with self._listing:
            if self._listings == seen or self._listed is None:
                began_at = elapsed_s()
                self._listed = await self._list_all()
                self._listed_at = began_at
                self._listings += 1
            return self._listed


class ShardCalls(Protocol):
    """How one shard of one kind of stream is opened and read."""

    async def open(self, position: Position) -> str:
        """An iterator at `position`; AT_TIMESTAMP always works, whatever the source itself offers."""
        ...

    async def read(self, iterator: str) -> tuple[Page, str | None]:
        """One page, and the iterator of the next one; None = the shard has ended (STR-146)."""
        ...


class IteratorReader:
    """One shard, read page by page from `position` on. It never waits: how often to read is the caller's decision."""

    def __init__(self, calls: ShardCalls, shard_id: str, position: Position, log: telemetry.Logger) -> None:
        self._calls = calls
        self._shard_id = shard_id
        self._position = position  # where an iterator is opened when there is none
        self._log = log.bind(shard=shard_id)
        self._iterator: str | None = None
        self._ended = False

    async def read(self) -> Page:
        """One GetRecords; an expired iterator is replaced where it stood, trimmed records are stepped over and logged.

        Cancelled or failed, it has delivered nothing, and the next read returns what this one would have.
        Raises: TransientSourceError, AccessRefused, SourceError; RuntimeError after a page that had `ended`.
        Rules: STR-145, 146, 153, 154, 155.
        """
        if self._ended:
            raise RuntimeError(f"shard {self._shard_id} has ended: there is nothing left to read")
        for _ in range(_ITERATORS_PER_READ):
            try:
                page, following = await self._read_on()
            except IteratorExpired:
                self._iterator = None
            except RecordsTrimmed:
                self._step_over_trimmed()
            except ShardGone as error:
                self._log.error(telemetry.RECORDS_TRIMMED, reason=str(error), position=self._described)
                self._ended = True
                return Page((), ended=True)
            else:
                self._ended = following is None
                self._iterator = following
                if page.records:
                    self._position = Position("AFTER_SEQUENCE_NUMBER", sequence=page.records[-1].item_id)
                return page
        raise TransientSourceError(
            f"shard {self._shard_id}: {_ITERATORS_PER_READ} iterators in a row were too old when they were used"
        )

    async def _read_on(self) -> tuple[Page, str | None]:
        if self._iterator is None:
            self._iterator = await self._open()
        try:
            return await self._calls.read(self._iterator)
        except (TransientSourceError, AccessRefused):
            raise
        except SourceError:
            self._iterator = None  # perhaps it was the iterator that was refused: a server forgets them at a restart
            raise

    async def _open(self) -> str:
        opened_at = math.floor(wall_time_s() * 1_000) / 1_000  # rounded as records are: down, to milliseconds
        try:
            iterator = await self._calls.open(self._position)
        except SourceError as error:
            if self._position.sequence is not None and error.code in _NOT_A_SEQUENCE_OF_THE_SHARD:
                raise SourceError(
                    f"checkpoint {self._position.sequence} is not of shard {self._shard_id}: the state belongs to "
                    f"another stream; reset it, or name the stream it was made for ({error})",
                    code=error.code,
                ) from error
            raise
        if self._position.type == LATEST:
            # LATEST means now, and now only: asked again later, it would lose what came between.
            self._position = Position(AT_TIMESTAMP, timestamp=opened_at)
        return iterator

    def _step_over_trimmed(self) -> None:
        self._log.error(telemetry.RECORDS_TRIMMED, position=self._described, reason="older than the source keeps them")
        if self._position.type != AT_TIMESTAMP:  # a time before the trim horizon means the horizon (STR-20)
            self._position = Position(TRIM_HORIZON)
        self._iterator = None

    @property
    def _described(self) -> str:
        return self._position.sequence or self._position.type


def records_of(answer: dict[str, Any], convert: Callable[[dict[str, Any]], StreamRecord]) -> tuple[StreamRecord, ...]:
    """The records of one answer, in order.

    Raises: SourceError for an answer that lacks what every record has; nothing of it is delivered.
    """
    try:
        return tuple([convert(raw) for raw in answer["Records"]])
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"the source answered records that are not in AWS' shape: {error!r}") from error
