"""What a user gives as text, as @FILE, or as - for standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from eventmap.cli.failure import Misuse, reason_of


def text_given(argument: str, name: str) -> str:
    """The text, or what the file holds. Raises: Misuse naming the argument."""
    try:
        if argument == "-":
            return sys.stdin.read()
        if argument.startswith("@"):
            with open(argument[1:], encoding="utf-8") as file:
                return file.read()
    except OSError as error:
        raise Misuse(f"{name} cannot be read: {reason_of(error)}") from None
    except UnicodeDecodeError as error:
        raise Misuse(f"{name} is not UTF-8 text: {error}") from None
    return argument


def file_given(file: str, name: str) -> bytes:
    """What a file holds, or standard input for `-`. Raises: Misuse naming what it is."""
    try:
        if file == "-":
            return sys.stdin.buffer.read()
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise Misuse(f"{name} cannot be read: {reason_of(error)}") from None


def object_given(argument: str, name: str, *, exact: bool = False) -> dict[str, Any]:
    """The same as a JSON object; `exact` keeps all digits of its numbers. Raises: Misuse."""
    import json

    try:
        document = json.loads(text_given(argument, name), parse_float=Decimal if exact else float)
    except (ValueError, RecursionError) as error:
        raise Misuse(f"{name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misuse(f"{name} must be a JSON object, and is {type(document).__name__}")
    return document


def pairs_given(arguments: Iterable[str], name: str) -> dict[str, str]:
    """`K=V` texts as a mapping; the value may hold more `=`. Raises: Misuse."""
    found = {}
    for text in arguments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Misuse(f"{name} {text!r} is not of the form NAME=VALUE")
        found[key] = value
    return found
