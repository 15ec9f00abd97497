"""`FilterCriteria`: which records of a source reach the function at all.

A pattern sees a source's record with its data key (`body`, `data`, `dynamodb`) in the format the pattern speaks of: an
object under the data key asks for JSON data, an array for a plain string, and without the key only metadata is looked
at. What the record looks like then is the source's own (FIL-15..17), and its row of the format table (FIL-25..31).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Final, Literal

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.model import JsonObject, JsonValue
from eventmap.rules.pattern.document import parse_document
from eventmap.rules.pattern.explain import Explanation, Mismatch, explain
from eventmap.rules.pattern.match import BranchTest, branch_test
from eventmap.rules.pattern.syntax import Branch, read_pattern

DEFAULT_FILTERS: Final = 5
MAXIMUM_FILTERS: Final = 10
MAXIMUM_PATTERN_CHARACTERS: Final = 4096

_KINESIS_KEYS: Final = frozenset({
    "kinesisSchemaVersion", "partitionKey", "sequenceNumber", "data", "approximateArrivalTimestamp", "encryptionType",
    "eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN",
})  # fmt: skip
_DYNAMODB_KEYS: Final = frozenset({
    "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb", "eventSourceARN", "userIdentity",
})  # fmt: skip


class DataFormat(Enum):
    """What a pattern takes the data key for."""

    JSON = auto()
    PLAIN = auto()
    NONE = auto()


def read_filters(
    patterns: Sequence[str], *, maximum_filters: int = DEFAULT_FILTERS, json_key: str | None = None
) -> tuple[list[Branch], ...]:
    """The branches of each pattern text; one empty tuple for no patterns.

    `json_key` is the data key of a source whose data may be asked for as JSON only; None = plain strings are fine, too.

    Raises: InvalidParameterValue for too many patterns, a too long one, or one AWS would refuse; that one's message
    starts with AWS' words, and its `__cause__` is the InvalidPattern that says what is wrong.
    Rules: FIL-01, FIL-03, FIL-08, FIL-25, FIL-28, FIL-80.
    """
    if not 1 <= maximum_filters <= MAXIMUM_FILTERS:
        raise InvalidParameterValue(f"maximum_filters must be 1 to {MAXIMUM_FILTERS}, not {maximum_filters} (FIL-03)")
    if len(patterns) > maximum_filters:
        raise InvalidParameterValue(
            f"{len(patterns)} filters exceed the limit of {maximum_filters} per event source mapping; "
            f"join some with $or, or raise the limit, {MAXIMUM_FILTERS} at most (FIL-03)"
        )
    return tuple(_read_filter(number, pattern, json_key) for number, pattern in enumerate(patterns, 1))


def _read_filter(number: int, pattern: str, json_key: str | None) -> list[Branch]:
    if len(pattern) > MAXIMUM_PATTERN_CHARACTERS:
        raise InvalidParameterValue(
            f"the pattern of filter {number} has {len(pattern)} characters, more than "
            f"{MAXIMUM_PATTERN_CHARACTERS} (FIL-01)"
        )
    try:
        branches = read_pattern(pattern)
        if any(json_key in branch for branch in branches):
            raise InvalidPattern(f'"{json_key}" must be an object', f"{json_key}")
        return branches
    except InvalidPattern as refused:
        where = f', field "{refused.field}"' if refused.field else ""
        raise InvalidParameterValue(
            f"Invalid filter pattern definition. (Filter {number}{where}: {refused.reason})"
        ) from refused


@dataclass(frozen=True, slots=True)
class _Source:
    """What a kind of source's records look like to patterns."""

    data_key: str
    usual_keys: frozenset[str]
    allows_plain: bool = False  #: a pattern may ask for the data as a plain string (FIL-25, 28)
    lifted: str | None = None  #: a member whose members stand at the top level instead of it (FIL-16)
    read_data: Callable[[JsonValue], str | bytes | None] | None = None  #: JSON text; None = it is an object already


def data_format(branch: Branch, data_key: str) -> DataFormat:
    if any(field.startswith(f"{data_key}.") for field in branch):
        return DataFormat.JSON
    return DataFormat.PLAIN if data_key in branch else DataFormat.NONE


class RecordFilter:
    """The filters of one mapping. A record passes when at least one pattern matches; without patterns all pass.

    `strict_number_text` is the setting of `EventPattern`, for numbers in JSON data; DynamoDB's records have no such.
    `unusual_keys` are top-level keys the patterns look at that deserve a warning: on SQS any other than `body`
    (FIL-24), on a stream those no record has.

    Raises: InvalidParameterValue, as `read_filters`.
    Rules: FIL-02, FIL-04, FIL-15..34.
    """

    __slots__ = ("_branches", "_strict_number_text", "unusual_keys")
    _source: ClassVar[_Source]

    def __init__(
        self,
        patterns: Sequence[str],
        *,
        maximum_filters: int = DEFAULT_FILTERS,
        strict_number_text: bool = False,
    ) -> None:
        source = self._source
        json_key = None if source.allows_plain else source.data_key
        read = read_filters(patterns, maximum_filters=maximum_filters, json_key=json_key)
        branches = [branch for each in read for branch in each]
        self._branches = tuple(
            (data_format(branch, source.data_key), branch_test(branch), branch) for branch in branches
        )
        self._strict_number_text = strict_number_text
        keys = {field.partition(".")[0] for branch in branches for field in branch}
        self.unusual_keys: tuple[str, ...] = tuple(sorted(keys - source.usual_keys))

    def passes(self, record_body: JsonObject) -> bool:
        """`record_body` is an element of `Records`; it is left as it is. Its data is decoded once at most."""
        if not self._branches:
            return True
        view = _View(self._source, record_body, self._strict_number_text)
        return any(_matches(wanted, test, view) for wanted, test, _ in self._branches)

    def explain(self, record_body: JsonObject) -> Explanation:
        """Why the record does not pass: what fails in each combination of each pattern. Shows the record's values."""
        if self.passes(record_body):
            return Explanation(True)
        view = _View(self._source, record_body, self._strict_number_text)
        return Explanation(False, tuple(_mismatches(wanted, branch, view) for wanted, _, branch in self._branches))


def _of_text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _of_base64(value: JsonValue) -> bytes | None:
    try:
        return base64.b64decode(value) if isinstance(value, str) else None
    except ValueError:  # not base64, or not even ASCII
        return None


class SqsFilter(RecordFilter):
    """The filters of an SQS mapping: `body` as JSON or as a plain string (FIL-15, FIL-25..34)."""

    __slots__ = ()
    _source = _Source(data_key="body", usual_keys=frozenset({"body"}), allows_plain=True, read_data=_of_text)


class KinesisFilter(RecordFilter):
    """The filters of a Kinesis mapping: `data` as JSON, and the members of `kinesis` at the top level (FIL-16)."""

    __slots__ = ()
    _source = _Source(data_key="data", usual_keys=_KINESIS_KEYS, lifted="kinesis", read_data=_of_base64)


class DynamoDbFilter(RecordFilter):
    """The filters of a DynamoDB mapping: the record as it is, attribute values with their types (FIL-17, 20, 21)."""

    __slots__ = ()
    _source = _Source(data_key="dynamodb", usual_keys=_DYNAMODB_KEYS)


FilteredSource = Literal["sqs", "kinesis", "dynamodb"]
_FILTERS: Final[dict[FilteredSource, type[RecordFilter]]] = {
    "sqs": SqsFilter,
    "kinesis": KinesisFilter,
    "dynamodb": DynamoDbFilter,
}


def filter_for(
    event_source: FilteredSource, patterns: Sequence[str], *, maximum_filters: int = DEFAULT_FILTERS
) -> RecordFilter:
    """The filters of a mapping of that source. Raises: InvalidParameterValue, as `read_filters`."""
    return _FILTERS[event_source](patterns, maximum_filters=maximum_filters)


class _View:
    """A record as the patterns of its source see it."""

    __slots__ = ("_is_read", "_source", "_strict_number_text", "_with_json", "metadata")

    def __init__(self, source: _Source, record: JsonObject, strict_number_text: bool) -> None:
        self.metadata = record if source.lifted is None else _lift(record, source.lifted)
        self._source = source
        self._strict_number_text = strict_number_text
        self._is_read = False
        self._with_json: JsonObject | None = None

    @property
    def data_key(self) -> str:
        return self._source.data_key

    def with_json(self) -> JsonObject | None:
        """The record with its data parsed; None when the data is no JSON object (FIL-31, FIL-32)."""
        source = self._source
        if source.read_data is None:
            return self.metadata
        if not self._is_read:
            self._is_read = True
            text = source.read_data(self.metadata.get(source.data_key))
            if text is not None:
                data = parse_document(text, strict_number_text=self._strict_number_text)
                self._with_json = None if data is None else {**self.metadata, source.data_key: data}
        return self._with_json

    def has_json(self) -> bool:
        """Whether plain data is a JSON object after all; text that does not look like one is not parsed for it."""
        text = self.metadata.get(self.data_key)
        return isinstance(text, str) and text.lstrip()[:1] == "{" and self.with_json() is not None


def _lift(record: JsonObject, member: str) -> JsonObject:
    inner = record.get(member)
    if not isinstance(inner, dict):
        return record
    lifted = {**record, **inner}
    del lifted[member]
    return lifted


def _matches(wanted: DataFormat, test: BranchTest, view: _View) -> bool:
    if wanted is DataFormat.JSON:
        document = view.with_json()
        return document is not None and test(document)  # plain data: drop (FIL-27)
    if wanted is DataFormat.PLAIN:
        return test(view.metadata) and not view.has_json()  # JSON data: drop (FIL-28)
    return test(view.metadata)


def _mismatches(wanted: DataFormat, branch: Branch, view: _View) -> tuple[Mismatch, ...]:
    document = view.with_json() if wanted is DataFormat.JSON else view.metadata
    if document is None:
        return (Mismatch(view.data_key, "a JSON object", "something else"),)
    if wanted is DataFormat.PLAIN and view.has_json():
        return (Mismatch(view.data_key, "a plain string", "a JSON object"),)
    return explain([branch], document, matched=False).alternatives[0]
