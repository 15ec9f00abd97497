"""docs/semantics.md: which rule of Lambda's behaviour is held by which tests. `python -m tests.semantics` rewrites it.

Tests name the rules they hold: `test_sqs_47_…`, more as `test_sqs_47_50_fil_06_…`, a table as `test_sqs_80_to_99_…`.
The page keeps what each rule says, and in parentheses why no test can hold it; the names of tests are filled in.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
PAGE: Final = TESTS.parent / "docs/semantics.md"

REQUIRED: Final = {
    "SQS": (*range(1, 18), *range(20, 32), *range(46, 53), *range(54, 68), *range(80, 103), *range(110, 126)),
    "STR": (
        *range(1, 38),
        *range(40, 59),
        *range(60, 74),
        *range(80, 90),
        *range(90, 104),
        *range(110, 134),
        *range(140, 159),
        *range(160, 173),
        *range(180, 204),
        *range(210, 214),
    ),
    "KCL": (1, 2, 3, *range(10, 15), *range(20, 24)),
    "FIL": (*range(1, 11), *range(15, 35), *range(40, 49), *range(50, 71), *range(80, 85)),
    "INV": (
        *range(1, 7),
        *range(10, 28),
        *range(30, 38),
        *range(40, 52),
        *range(55, 68),
        *range(70, 88),
        *range(90, 99),
        *range(100, 112),
    ),
    "SRC": (
        *range(1, 18),
        *range(20, 33),
        *range(40, 48),
        *range(50, 79),
        *range(80, 85),
        *range(90, 106),
        *range(110, 128),
        *range(130, 134),
        *range(140, 148),
        150,
        151,
    ),
    "API": (*range(1, 15), *range(20, 54), *range(55, 64)),
}
"""The rules the page must list."""

_ROW: Final = re.compile(r"\| ((?:SQS|STR|KCL|FIL|INV|SNS|SRC|API)-\d+[a-z]?) \| (.*?) \| (.*?) ?\|")
_NUMBER: Final = re.compile(r"\d+[a-z]?")
_FAMILIES: Final = frozenset({"sqs", "str", "kcl", "fil", "inv", "sns", "src", "api"})


def rules_of(test: str, *, inside_ranges: bool = True) -> list[str]:
    """The rules a test's name claims, in order: "test_sqs_80_to_82_fil_06_x" is SQS-80, 81, 82 and FIL-06.

    A range may span numbers no rule has; without `inside_ranges` only its two ends count.
    """
    rules: list[str] = []
    family, previous, is_range = "", 0, False
    for word in test.split("_")[1:]:
        if word in _FAMILIES:
            family, is_range = word.upper(), False
        elif family and _NUMBER.fullmatch(word):
            number = int(word.rstrip("abcdefghijklmnopqrstuvwxyz"))
            if is_range and inside_ranges:
                rules += [f"{family}-{each:02}" for each in range(previous + 1, number)]
            rules.append(f"{family}-{word.zfill(2)}")
            previous, is_range = number, False
        elif word in ("to", "and"):
            is_range = word == "to"
        else:
            family = ""
    return rules


def all_tests() -> Iterator[str]:
    """The names of all tests, in the order of files and lines."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def tests_by_rule() -> dict[str, list[str]]:
    """Rule id -> names of the tests that hold it, each once."""
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(all_tests()):
        for rule in rules_of(name):
            found.setdefault(rule, []).append(name)
    return found


def rows(page: str) -> dict[str, tuple[str, str]]:
    """Rule id -> (what it says, its tests or why there are none)."""
    return {match[1]: (match[2], match[3]) for line in page.splitlines() if (match := _ROW.fullmatch(line))}


def rewritten(page: str) -> str:
    """The page with the tests there are now; a reason in parentheses stays, even inside a range some test names."""
    tests = tests_by_rule()

    def line(text: str) -> str:
        match = _ROW.fullmatch(text)
        if match is None:
            return text
        held_by = "<br>".join(f"`{name}`" for name in tests.get(match[1], ()))
        return f"| {match[1]} | {match[2]} | {match[3] if match[3].startswith('(') else held_by} |"

    return "".join(f"{line(text)}\n" for text in page.splitlines())


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
