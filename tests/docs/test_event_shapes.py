from __future__ import annotations

from tests.docs.event_shapes import BEGIN, END, PAGE, rewritten


def test_the_page_lists_the_kinds_there_are() -> None:
    """`python -m tests.docs.event_shapes` rewrites it."""
    page = PAGE.read_text()

    assert page.count(BEGIN) == page.count(END) == 1
    assert rewritten(page) == page, "docs/event-shapes.md is out of date: run python -m tests.docs.event_shapes"
