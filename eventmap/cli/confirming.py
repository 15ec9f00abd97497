"""What changes something for good asks first."""

from __future__ import annotations

import sys

from eventmap.cli.failure import Misuse
from eventmap.errors import EventmapError


class Refused(EventmapError):
    """Raised when something is not done; says why, and what to do."""


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless `yes` was said already.

    Raises: Misuse if there is nobody to ask; Refused if the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misuse("nobody can be asked here: add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed")
