"""docs/semantics.md says what is tested, and every rule of the issue is."""

from __future__ import annotations

import pytest

from tests.semantics import PAGE, REQUIRED, all_tests, rewritten, rows, rules_of


def test_the_page_names_exactly_the_tests_there_are() -> None:
    """`python -m tests.semantics` rewrites it."""
    page = PAGE.read_text()

    assert rewritten(page) == page, "docs/semantics.md is out of date: run python -m tests.semantics"


def test_every_rule_is_listed() -> None:
    """Each rule the issue names is a row, once."""
    listed = rows(PAGE.read_text())
    required = {f"{family}-{number:02}" for family, numbers in REQUIRED.items() for number in numbers}

    assert required - listed.keys() == set()


def test_every_rule_has_a_test_or_a_reason() -> None:
    """A rule that nothing holds says why."""
    listed = rows(PAGE.read_text())

    assert [rule for rule, (_, held_by) in listed.items() if len(held_by) < 10] == []


def test_no_test_claims_a_rule_that_is_not_listed() -> None:
    """A misnumbered test would hold nothing."""
    listed = rows(PAGE.read_text())

    assert [name for name in all_tests() if set(rules_of(name, inside_ranges=False)) - listed.keys()] == []


def test_no_rule_has_both_a_test_of_its_own_and_an_excuse() -> None:
    """A reason in parentheses goes as soon as a test names the rule itself."""
    excused = {rule for rule, (_, held_by) in rows(PAGE.read_text()).items() if held_by.startswith("(")}

    assert [name for name in all_tests() if excused & set(rules_of(name, inside_ranges=False))] == []


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("test_sqs_47_x", ["SQS-47"]),
        ("test_sqs_07_50_and_51_order_2", ["SQS-07", "SQS-50", "SQS-51"]),
        ("test_sqs_80_to_82_fil_06_x", ["SQS-80", "SQS-81", "SQS-82", "FIL-06"]),
        ("test_sqs_92a_x", ["SQS-92a"]),
        ("test_inv_100_to_102_x_sqs_3", ["INV-100", "INV-101", "INV-102", "SQS-03"]),
        ("test_a_queue_of_10_messages", []),
    ],
)
def test_the_rules_of_a_name(name: str, rules: list[str]) -> None:
    """Numbers right behind a family, with `to` for a range; the rest is prose."""
    assert rules_of(name) == rules
