"""The table of docs/event-shapes.md. `python -m tests.docs.event_shapes` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from eventmap.rules.events import KINDS

PAGE: Final = Path(__file__).parents[2] / "docs/event-shapes.md"
BEGIN: Final = "<!-- kinds: python -m tests.docs.event_shapes -->\n"
END: Final = "<!-- end of kinds -->\n"


def table() -> str:
    """A row for each kind, in the order they are tried."""
    lines = ["| kind | source | recognised by | waits | rules |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{kind.name}` | {kind.source} | {kind.recognised_by} | {'yes' if kind.is_synchronous else 'no'} "
        f"| {kind.rules} |"
        for kind in KINDS
    ]
    return "".join(f"{line}\n" for line in lines)


def rewritten(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
