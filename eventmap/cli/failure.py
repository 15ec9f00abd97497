"""How a command fails: one line on standard error that says what to do, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from eventmap.errors import EventmapError, FunctionNotInitialized

DONE: Final = 0
FAILED: Final = 1  # it was tried
MISUSE: Final = 2  # nothing was tried: what was given cannot be right


class Misuse(EventmapError):
    """Raised when what the user typed, or wrote into a file, cannot be right whatever the world looks like."""


class ImportFailed(EventmapError):
    """Raised when the user's own module raised while it was imported; `trace` is its traceback, the user's frames."""

    def __init__(self, target: str, reason: str, trace: str) -> None:
        super().__init__(f"target {target!r} could not be imported: {reason}")
        self.trace = trace


def show(error: BaseException) -> int | None:
    """Print each user error in `error` once and return the exit code; None = it holds something that is none."""
    leaves = list(_leaves(error))
    if not all(isinstance(leaf, EventmapError) for leaf in leaves):
        return None
    for text in dict.fromkeys(map(describe, leaves)):
        print(text, file=sys.stderr, flush=True)
    return max(MISUSE if isinstance(leaf, Misuse) else FAILED for leaf in leaves)


def describe(error: BaseException) -> str:
    """The traceback in the user's code, if it is about that, and one line."""
    if isinstance(error, ImportFailed):
        return f"{error.trace}eventmap: {error}"
    if isinstance(error, FunctionNotInitialized):
        return "\n".join(_init_failure(name, *details) for name, details in error.errors.items())
    return f"eventmap: {error}"


def reason_of(error: OSError) -> str:
    """`FILE: what is wrong with it`, without an error number."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _init_failure(name: str, kind: str, message: str, frames: Sequence[str]) -> str:
    head = "Traceback (most recent call last):\n" if frames else ""
    return f"{head}{''.join(frames)}eventmap: function {name!r} cannot start: {kind}: {message}"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What a task group's exception is made of."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
