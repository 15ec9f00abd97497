"""`FilterCriteria`: which records of a source reach the function at all.

A pattern sees a source's record with its data key (`body` for SQS) in the format the pattern speaks of: an object
under the data key asks for JSON data, an array for a plain string, and without the key only metadata is looked at.
Another source needs its own data key, its own decoding, and its row of the format table (FIL-16..19, FIL-25..31).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from eventmap.errors import InvalidParameterValue, InvalidPattern
from eventmap.model import JsonObject
from eventmap.rules.pattern.document import parse_document
from eventmap.rules.pattern.match import BranchTest, branch_test
from eventmap.rules.pattern.syntax import Branch, read_pattern

DEFAULT_FILTERS: Final = 5
MAXIMUM_FILTERS: Final = 10
MAXIMUM_PATTERN_CHARACTERS: Final = 4096

_BODY: Final = "body"


class DataFormat(Enum):
    """What a pattern takes the data key for."""

    JSON = auto()
    PLAIN = auto()
    NONE = auto()


def read_filters(patterns: Sequence[str], *, maximum_filters: int = DEFAULT_FILTERS) -> tuple[list[Branch], ...]:
    """The branches of each pattern text; one empty tuple for no patterns.

    Raises: InvalidParameterValue for too many patterns, a too long one, or one AWS would refuse; that one's message
    starts with AWS' words, and its `__cause__` is the InvalidPattern that says what is wrong.
    Rules: FIL-01, FIL-03, FIL-08, FIL-80.
    """
    if not 1 <= maximum_filters <= MAXIMUM_FILTERS:
        raise InvalidParameterValue(f"maximum_filters must be 1 to {MAXIMUM_FILTERS}, not {maximum_filters} (FIL-03)")
    if len(patterns) > maximum_filters:
        raise InvalidParameterValue(
            f"{len(patterns)} filters exceed the limit of {maximum_filters} per event source mapping; "
            f"join some with $or, or raise the limit, {MAXIMUM_FILTERS} at most (FIL-03)"
        )
    return tuple(_read_filter(number, pattern) for number, pattern in enumerate(patterns, 1))


def _read_filter(number: int, pattern: str) -> list[Branch]:
    if len(pattern) > MAXIMUM_PATTERN_CHARACTERS:
        raise InvalidParameterValue(
            f"the pattern of filter {number} has {len(pattern)} characters, more than "
            f"{MAXIMUM_PATTERN_CHARACTERS} (FIL-01)"
        )
    try:
        return read_pattern(pattern)
    except InvalidPattern as refused:
        where = f', field "{refused.field}"' if refused.field else ""
        raise InvalidParameterValue(
            f"Invalid filter pattern definition. (Filter {number}{where}: {refused.reason})"
        ) from refused


def data_format(branch: Branch, data_key: str) -> DataFormat:
    if any(field.startswith(f"{data_key}.") for field in branch):
        return DataFormat.JSON
    return DataFormat.PLAIN if data_key in branch else DataFormat.NONE


class SqsFilter:
    """The filters of one SQS mapping. A record passes when at least one pattern matches; without patterns all pass.

    `strict_number_text` is the setting of `EventPattern`, for numbers in a JSON body.
    `unusual_keys` are the top-level keys other than `body` that patterns look at: allowed, but warn (FIL-24).

    Raises: InvalidParameterValue, as `read_filters`.
    Rules: FIL-02, FIL-04, FIL-15, FIL-23..34.
    """

    __slots__ = ("_branches", "_strict_number_text", "unusual_keys")

    def __init__(
        self,
        patterns: Sequence[str],
        *,
        maximum_filters: int = DEFAULT_FILTERS,
        strict_number_text: bool = False,
    ) -> None:
        branches = [branch for read in read_filters(patterns, maximum_filters=maximum_filters) for branch in read]
        self._branches = tuple((data_format(branch, _BODY), branch_test(branch)) for branch in branches)
        self._strict_number_text = strict_number_text
        keys = {field.partition(".")[0] for branch in branches for field in branch}
        self.unusual_keys: tuple[str, ...] = tuple(sorted(keys - {_BODY}))

    def passes(self, record_body: JsonObject) -> bool:
        """`record_body` is an element of `Records`; it is left as it is. Its `body` is parsed once at most."""
        if not self._branches:
            return True
        view = _View(record_body, self._strict_number_text)
        return any(_matches(wanted, test, view) for wanted, test in self._branches)


class _View:
    """A record as the patterns see it."""

    __slots__ = ("_is_read", "_strict_number_text", "_with_json", "record")

    def __init__(self, record: JsonObject, strict_number_text: bool) -> None:
        self.record = record
        self._strict_number_text = strict_number_text
        self._is_read = False
        self._with_json: JsonObject | None = None

    def with_json(self) -> JsonObject | None:
        """The record with its body parsed; None when the body is no JSON object (FIL-32)."""
        if not self._is_read:
            self._is_read = True
            text = self.record.get(_BODY)
            if isinstance(text, str):
                body = parse_document(text, strict_number_text=self._strict_number_text)
                self._with_json = None if body is None else {**self.record, _BODY: body}
        return self._with_json

    def has_json(self) -> bool:
        """Whether the body is a JSON object; text that does not look like one is not parsed to learn it."""
        text = self.record.get(_BODY)
        return isinstance(text, str) and text.lstrip()[:1] == "{" and self.with_json() is not None


def _matches(wanted: DataFormat, test: BranchTest, view: _View) -> bool:
    if wanted is DataFormat.JSON:
        document = view.with_json()
        return document is not None and test(document)  # plain data: drop (FIL-27)
    if wanted is DataFormat.PLAIN:
        return test(view.record) and not view.has_json()  # JSON data: drop (FIL-28)
    return test(view.record)
