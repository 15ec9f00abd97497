"""Event patterns: EventBridge's language for choosing events, as Lambda's filters use it."""

from __future__ import annotations

from eventmap.model import JsonObject
from eventmap.rules.pattern.document import parse_document
from eventmap.rules.pattern.explain import Explanation, explain
from eventmap.rules.pattern.match import branch_test
from eventmap.rules.pattern.syntax import read_pattern


class EventPattern:
    """A pattern, compiled once.

    `pattern` is JSON text, or the object it spells. With `strict_number_text` a number equals another only when both
    are written the same way (300, 300.0 and 3.0e2 differ), as Lambda's guide says; by default they are equal, as
    observed (FIL-67). It takes effect where the event is text: a parsed event has lost how its numbers were written.

    Raises: InvalidPattern with event-ruler's reason and the dotted field.
    Rules: FIL-40..70, FIL-80..84.
    """

    __slots__ = ("_tests", "branches", "pattern", "strict_number_text")

    def __init__(self, pattern: str | bytes | JsonObject, *, strict_number_text: bool = False) -> None:
        self.pattern: str | bytes | JsonObject = pattern
        self.strict_number_text = strict_number_text
        self.branches = read_pattern(pattern)
        self._tests = tuple(branch_test(branch) for branch in self.branches)

    def matches(self, event: str | bytes | JsonObject) -> bool:
        """Never raises for a JSON document. Text that is not a JSON object, or beyond FIL-83, does not match."""
        document = event if isinstance(event, dict) else self._parse(event)
        if document is None:
            return False
        for test in self._tests:  # noqa: SIM110 - any() with a generator costs as much as the test itself
            if test(document):
                return True
        return False

    def explain(self, event: str | bytes | JsonObject) -> Explanation:
        """Why the event does not match, field by field; `matched` is what `matches` says. Shows the event's values."""
        document = event if isinstance(event, dict) else self._parse(event)
        return explain(self.branches, document, matched=document is not None and self.matches(document))

    def _parse(self, event: str | bytes) -> JsonObject | None:
        return parse_document(event, strict_number_text=self.strict_number_text)

    def __repr__(self) -> str:
        return f"EventPattern({self.pattern!r})"
