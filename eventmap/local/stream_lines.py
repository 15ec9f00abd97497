"""Records of a Kinesis stream as JSON lines: one line, one record.

    "some data"
    {"data": {"order": 1}, "partition_key": "customer-7"}

Data that is not a string stands for its compact JSON text. The lines of a queue do, too: their body is the data, their
group the partition key. Without one, records are spread over the shards.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.local.lines import compact, refuse_constant

RECORD_LIMIT_BYTES: Final = 1_048_576  # what every stream takes, partition key included (STR-149)
PARTITION_KEY_LIMIT: Final = 256  # characters (STR-111)

_NAMES: Final = (("data", "partition_key"), ("body", "group"))
_EXPECTED: Final = 'expected a JSON string, or an object with "data" and perhaps "partition_key"'


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One record to put."""

    data: bytes
    partition_key: str

    def encoded(self) -> dict[str, str]:
        """As PutRecords carries it."""
        return {"Data": base64.b64encode(self.data).decode(), "PartitionKey": self.partition_key}


def parse_stream_line(line: str | bytes, number: int) -> StreamEntry:
    """The record a line stands for; `number` is its place in the file, from 1.

    Raises: InvalidParameterValue naming the line and what is wrong with it.
    """
    try:
        document = json.loads(line, parse_constant=refuse_constant)
        return _entry(document if isinstance(document, dict) else {"data": _text(document)}, number)
    except (ValueError, RecursionError) as error:
        raise InvalidParameterValue(f"line {number}: {error}") from error


def _entry(document: dict[str, Any], number: int) -> StreamEntry:
    for data_name, key_name in _NAMES:
        if data_name in document:
            unknown = sorted(document.keys() - {data_name, key_name})
            if unknown:
                raise ValueError(f"a stream's record has no {unknown[0]!r}; {_EXPECTED}")
            data = document[data_name]
            content = (data if isinstance(data, str) else compact(data)).encode()
            return _checked(StreamEntry(content, _partition_key(document.get(key_name), key_name, number)))
    raise ValueError(_EXPECTED)


def _text(document: Any) -> str:
    if not isinstance(document, str):
        raise ValueError(_EXPECTED)
    return document


def _partition_key(key: Any, name: str, number: int) -> str:
    if key is None:
        return str(number)
    if not isinstance(key, str) or not 1 <= len(key) <= PARTITION_KEY_LIMIT:
        raise ValueError(f'"{name}" must be text of 1 to {PARTITION_KEY_LIMIT} characters (STR-111)')
    return key


def _checked(entry: StreamEntry) -> StreamEntry:
    size = len(entry.data) + len(entry.partition_key.encode())
    if size > RECORD_LIMIT_BYTES:
        raise ValueError(
            f"the record has {size} bytes with its partition key, at most {RECORD_LIMIT_BYTES} are allowed"
        )
    return entry
