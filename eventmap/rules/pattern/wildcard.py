"""Wildcard patterns: their escapes, how they match, and how complex one field's may be together (FIL-56)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from eventmap.errors import InvalidPattern
from eventmap.rules.pattern.alternatives import Wildcard

MAXIMUM_COMPLEXITY: Final = 10
"""How many beginnings of a field's wildcards one value may match at the same moment."""

TOO_COMPLEX: Final = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
    "wildcard character"
)
_STAR: Final = -1


def read_wildcard(text: str, field: str) -> Wildcard:
    r"""Split `text` at its stars; `\*` and `\\` are the characters themselves.

    Raises: InvalidPattern for two stars in a row or any other escape; positions count bytes and the opening quote.
    """
    segments = [""]
    position, previous_star = 0, False
    while position < len(text):
        character = text[position]
        at = len(text[:position].encode(errors="replace")) + 1
        if character == "*":
            if previous_star:
                raise InvalidPattern(f"Consecutive wildcard characters at pos {at - 1}", field)
            segments.append("")
        elif character == "\\":
            position += 1
            if text[position : position + 1] not in ("*", "\\"):
                raise InvalidPattern(f"Invalid escape character at pos {at}", field)
            segments[-1] += text[position]
        else:
            segments[-1] += character
        previous_star = character == "*"
        position += 1
    return Wildcard(text, tuple(segments))


def wildcard_test(wildcard: Wildcard) -> Callable[[object], bool]:
    """Linear in the value's length: the leftmost place of each middle segment is as good as any other."""
    first, *middle = wildcard.segments
    if not middle:
        return lambda value: bool(first) and value == first
    last = middle.pop()

    def matches(value: object) -> bool:
        if not (isinstance(value, str) and value.startswith(first) and value.endswith(last)):
            return False
        place, end = len(first), len(value) - len(last)
        for segment in middle:
            found = value.find(segment, place, end)
            if found < 0:
                return False
            place = found + len(segment)
        return place <= end

    return matches


def complexity(alternatives: Iterable[Sequence[Wildcard]]) -> int:
    """The most beginnings of one field's wildcards that some value matches at once, not counted beyond the maximum + 1.

    `alternatives` has the wildcards of each alternative: several of one `anything-but` share what they share up to
    their first star. A beginning is a wildcard cut after any of its UTF-8 bytes or stars; values have their quotes.
    Rules: FIL-56, FIL-70 (`Rule is too complex`).
    """
    paths = [_Path(number, wildcard) for number, group in enumerate(dict.fromkeys(alternatives)) for wildcard in group]
    start = frozenset((index, 0) for index in range(len(paths)))
    seen, pending, worst = {start}, [start], 0
    while pending:
        places = pending.pop()
        letters = {paths[index].symbols[place] for index, place in places if place < len(paths[index].symbols)}
        # 256 stands for a byte that none of them waits for: only the stars take it
        for letter in (letters | {256}) - {_STAR}:
            following = frozenset(
                after for index, place in places for after in paths[index].after(index, place, letter)
            )
            worst = max(worst, len({paths[index].beginnings[place] for index, place in following}))
            if worst > MAXIMUM_COMPLEXITY:
                return worst
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return worst


class _Path:
    """One wildcard as the bytes and stars of the JSON strings it matches."""

    def __init__(self, group: int, wildcard: Wildcard) -> None:
        symbols = [ord('"')]
        for index, segment in enumerate(wildcard.segments):
            symbols += [_STAR] if index else []
            symbols += segment.encode(errors="replace")
        self.symbols = [*symbols, ord('"')]
        shared = 1 + self.symbols.index(_STAR) if _STAR in self.symbols else len(self.symbols) - 1
        self.beginnings: list[object] = [
            (group, tuple(self.symbols[:place])) if place <= shared else (group, wildcard, place)
            for place in range(len(self.symbols))
        ]
        self.beginnings.append((group, "the end"))

    def after(self, index: int, place: int, letter: int) -> Iterator[tuple[int, int]]:
        """Where one more byte leads from `place`; to stand before a star is to stand after it, too."""
        symbols = self.symbols
        if place and symbols[place - 1] == _STAR:
            yield index, place
        if place < len(symbols) and symbols[place] == letter:
            yield index, place + 1
            if place + 1 < len(symbols) and symbols[place + 1] == _STAR:
                yield index, place + 2
