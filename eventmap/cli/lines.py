"""The file of messages a user names, read and checked before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from eventmap.cli.failure import Misuse, reason_of
from eventmap.errors import InvalidParameterValue

T = TypeVar("T")


def read_lines(file: str) -> list[bytes]:
    """All lines of a file, or of standard input for "-". Raises: Misuse naming the file."""
    try:
        if file == "-":
            return sys.stdin.buffer.readlines()
        with open(file, "rb") as opened:
            return opened.readlines()
    except OSError as error:
        raise Misuse(f"the messages cannot be read: {reason_of(error)}") from None


def parsed(lines: list[bytes], file: str, parse: Callable[[bytes, int], T]) -> list[tuple[int, T]]:
    """(number, what it stands for) of each line that is not blank.

    Raises: Misuse naming the file and the line that `parse` refuses.
    """
    try:
        return [(number, parse(line, number)) for number, line in enumerate(lines, 1) if line.strip()]
    except InvalidParameterValue as error:
        raise Misuse(f"{shown_file(file)}, {error}") from None


def check_lines(lines: list[bytes], file: str, *, fifo: bool) -> None:
    """Raises: Misuse naming the file and the line that is no message for such a queue."""
    from eventmap.local.lines import parse_line

    parsed(lines, file, partial(parse_line, fifo=fifo))


def shown_file(file: str) -> str:
    return "standard input" if file == "-" else file
