"""Where a server filters messages of topics otherwise than AWS: one entry each, held true by test_filter_policies.py.

Seen on moto 5.2.5 and fauxqs 1.9.2. ministack looks at no policy on bodies and is no judge.
"""

from __future__ import annotations

from typing import Final

from .deviations import Deviation

_CRASHES: Final = "the server fails with a stack trace instead of an answer"
_NO_CIDR: Final = Deviation("Unrecognized match type cidr", "the operator is not known")
_ONE_ELEMENT: Final = "the first value that is excluded decides, not whether one is not"
_AS_TEXT: Final = "numbers and their text are taken for the same"
_ONLY_TEXT: Final = "elements of an array are compared as text only"
_NULL: Final = "null is taken for a key that is not there"
_UNCHECKED: Final = "policies are not checked"

#: (server, name of the vector) → deviation
DEVIATIONS: Final = {
    ("moto", "F07"): Deviation("no", _ONE_ELEMENT),
    ("moto", "F18"): Deviation("failed", _CRASHES),
    ("moto", "F20"): Deviation("no", _NULL),
    ("moto", "F21"): _NO_CIDR,
    ("moto", "F23"): Deviation("no", "a name with a dot is not taken apart"),
    ("moto", "wildcard"): Deviation("Unrecognized match type wildcard", "the operator is not known"),
    ("moto", "anything but a number"): Deviation("failed", _CRASHES),
    ("moto", "text literal, number"): Deviation("yes", _AS_TEXT),
    ("moto", "binary is no value"): Deviation("yes", "the bytes are compared as if they were text"),
    ("moto", "body number as text"): Deviation("failed", _CRASHES),
    ("moto", "body anything but, null"): Deviation("no", _NULL),
    ("moto", "body or"): Deviation("failed", _CRASHES),
    ("moto", "one element for all fields"): Deviation("yes", "fields may come from different elements of an array"),
    ("moto", "empty array"): Deviation("no", "an empty array is accepted, and matches nothing"),
    ("moto", "prefix of a number"): Deviation("no", "the operand of prefix is not checked"),
    ("moto", "malformed block"): _NO_CIDR,
    ("moto", "two operators"): Deviation("no", "the first operator of several is taken"),
    ("moto", "no JSON"): Deviation("failed", _CRASHES),
    ("moto", "array"): Deviation("failed", _CRASHES),
    ("fauxqs", "F04"): Deviation("no", "an array is not looked into"),
    ("fauxqs", "F18"): Deviation("no", "an array is not looked into"),
    ("fauxqs", "F19"): Deviation("no", "an array is not looked into"),
    ("fauxqs", "F21"): Deviation("no", "the operator is not known"),
    ("fauxqs", "F24"): Deviation("no", "an empty policy on bodies lets JSON objects through only"),
    ("fauxqs", "text in any case"): Deviation("no", "the operator is not known"),
    ("fauxqs", "wildcard"): Deviation("no", "the operator is not known"),
    ("fauxqs", "number literal, text"): Deviation("yes", _AS_TEXT),
    ("fauxqs", "text literal, number"): Deviation("yes", _AS_TEXT),
    ("fauxqs", "numeric, text"): Deviation("yes", _AS_TEXT),
    ("fauxqs", "true in an array"): Deviation("no", _ONLY_TEXT),
    ("fauxqs", "number in an array"): Deviation("no", _ONLY_TEXT),
    ("fauxqs", "binary is no value"): Deviation("yes", "the bytes are compared as if they were text"),
    ("fauxqs", "body number as text"): Deviation("yes", _AS_TEXT),
    ("fauxqs", "body anything but, null"): Deviation("no", _NULL),
    **{
        ("fauxqs", name): Deviation("no", _UNCHECKED)
        for name in (
            "six keys",
            "too complex",
            "empty array",
            "scalar",
            "unknown operator",
            "prefix of a number",
            "exists of text",
            "range upside down",
            "range of text",
            "malformed block",
            "two operators",
            "nested",
        )
    },
    ("fauxqs", "no JSON"): Deviation("yes", _UNCHECKED),
    ("fauxqs", "array"): Deviation("yes", _UNCHECKED),
}
