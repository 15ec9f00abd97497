"""The values that travel between the rooms: records in, a response and an outcome back, a settlement to carry out.

source ──Record──▶ delivery ──Event──▶ runtime ──Response──▶ rules ──Outcome──▶ rules ──Settlement──▶ source
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Record:
    """One received message in the shape the handler will see."""

    item_id: str  #: `itemIdentifier` of a partial response: the message id (SQS-99)
    body: JsonObject  #: the AWS-shaped element of `Records`
    receipt: str  #: opaque, for the source only
    receive_count: int  #: 1 on the first delivery
    received_at: float  #: seconds on the loop's clock; a second early rather than late
    group: str | None = None  #: message group of a FIFO queue; None on a standard queue, whatever its attributes say
    sequence: int = 0  #: place within the group; 0 on a standard queue
    size_bound: int = 0  #: no encoding of `body` is longer than this many bytes; 0 = not known, encode to learn

    def encoded(self) -> bytes:
        """`body` as compact JSON text."""
        return orjson.dumps(self.body)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record of a shard in the shape the handler will see."""

    item_id: str  #: `itemIdentifier` of a partial response: the sequence number as the source spells it (STR-70)
    body: JsonObject  #: the AWS-shaped element of `Records`
    sequence: int  #: the same number; grows within a shard, says nothing across shards (STR-157)
    key: str  #: what order is kept for: the partition key, or the item's partition key value as JSON (STR-30)
    arrived_at: float  #: epoch seconds, the source's word for it
    size_bound: int = 0  #: no encoding of `body` is longer than this many bytes; 0 = not known, encode to learn

    def encoded(self) -> bytes:
        """`body` as compact JSON text."""
        return orjson.dumps(self.body)


@dataclass(frozen=True, slots=True)
class Batch:
    """Ordered records for one invocation; never empty."""

    records: tuple[Record, ...]

    @property
    def item_ids(self) -> frozenset[str]:
        return frozenset(record.item_id for record in self.records)


class Event:
    """The document of one invocation, as an object and as JSON text; each form is made at most once, when asked for."""

    __slots__ = ("_document", "_text")

    def __init__(self, document: JsonValue = None, text: bytes | None = None) -> None:
        self._document = document
        self._text = text

    @classmethod
    def from_text(cls, text: bytes) -> Event:
        """Raises: ValueError if `text` is not JSON."""
        return cls(orjson.loads(text), text)

    @classmethod
    def of_text(cls, text: bytes) -> Event:
        """`text` is known to be JSON: it is read only if someone asks for the document."""
        return cls(None, text)

    @classmethod
    def of_records(cls, records: Sequence[Record | StreamRecord]) -> Event:
        """`{"Records": […]}` and nothing else at the top level (SQS-110)."""
        return cls({"Records": [record.body for record in records]})

    @property
    def document(self) -> JsonValue:
        if self._document is None and self._text is not None:
            self._document = orjson.loads(self._text)
        return self._document

    @property
    def text(self) -> bytes:
        if self._text is None:
            self._text = orjson.dumps(self._document)
        return self._text


# What the runtime answers. ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Returned:
    """The handler returned; `payload` is its result as JSON text, `null` for None (INV-10)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class FunctionError:
    """The code, or its Init, ran and failed: exception, timeout, crash, unserialisable result (INV-11, INV-30..35)."""

    payload: bytes  #: the error object as JSON text
    error_type: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The code did not run: throttled, or no environment could be started; to try again costs nothing (SQS-56)."""

    reason: str


Response = Returned | FunctionError | Refused

Stream = Callable[[JsonObject | bytes], Awaitable[None]]
"""Takes an answer as it comes: an object before everything else is the head of an HTTP response, the rest its pieces.
What it raises is a failure of the handler."""


# What that means for a batch. ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Every record of the batch is done."""


@dataclass(frozen=True, slots=True)
class PartlyFailed:
    """These records failed, the others are done; never empty, and all of the batch only of a stream's (STR-46)."""

    item_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """No record of the batch is done. `reason` is for the log: an error type, or why a partial response was refused."""

    reason: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The function timeout passed; no record is done."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """The code never ran."""

    reason: str


Outcome = Succeeded | PartlyFailed | Failed | TimedOut | Throttled


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of every record of a batch: each is in exactly one of the two, in the batch's order."""

    done: tuple[Record, ...]  #: to be deleted
    retry: tuple[
        tuple[Record, float | None], ...
    ]  #: (record, seconds until visible; None = leave its visibility alone)


class EntryFailure(enum.Enum):
    """Why one entry of a batched call to a queue failed."""

    RECEIPT_LOST = "the receipt is no longer valid: the message may be delivered again"
    TRY_AGAIN = "the queue could not do it this time"
