"""Objects of a bucket as JSON lines: one line, one object.

    {"key": "orders/7.json", "body": {"id": 7}}
    {"key": "photos/a b.png", "body": {"binary": "iVBORw0KGgo="}}

A body that is not a string stands for its compact JSON text, but an object of `binary` alone for those bytes.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.local.lines import base64_text, compact, refuse_constant

KEY_LIMIT_BYTES: Final = 1024  # in UTF-8

_EXPECTED: Final = 'expected an object with "key" and "body"'


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One object to put."""

    key: str
    body: bytes


def parse_object_line(line: str | bytes, number: int) -> ObjectEntry:
    """The object a line stands for; `number` is its place in the file, from 1.

    Raises: InvalidParameterValue naming the line and what is wrong with it.
    """
    try:
        document = json.loads(line, parse_constant=refuse_constant)
        if not isinstance(document, dict) or document.keys() != {"key", "body"}:
            raise ValueError(_EXPECTED)
        return ObjectEntry(_key(document["key"]), _body(document["body"]))
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"line {number}: {error}") from error


def _key(key: Any) -> str:
    if not isinstance(key, str) or not 1 <= len(key.encode()) <= KEY_LIMIT_BYTES:
        raise ValueError(f'"key" must be text of 1 to {KEY_LIMIT_BYTES} bytes')
    return key


def _body(body: Any) -> bytes:
    match body:
        case str():
            return body.encode()
        case {"binary": str(content), **rest} if not rest:
            return base64.b64decode(base64_text(content, '"body"'))
    return compact(body).encode()
