"""Filter policies with the messages they are asked about: SNS' vectors, and operators they leave out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from eventmap.subscription import FilterPolicyScope

Attributes = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Vector:
    """A policy and one message, as they are given to SNS."""

    name: str
    scope: FilterPolicyScope
    policy: str
    attributes: Attributes = field(default_factory=dict)
    body: str = "a body"


def text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value}


def array(value: str) -> dict[str, Any]:
    return {"DataType": "String.Array", "StringValue": value}


def number(value: str) -> dict[str, Any]:
    return {"DataType": "Number", "StringValue": value}


BINARY: Final = {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"}


def _attributes(name: str, policy: str, **attributes: dict[str, Any]) -> Vector:
    return Vector(name, "MessageAttributes", policy, attributes)


def _body(name: str, policy: str, body: str) -> Vector:
    return Vector(name, "MessageBody", policy, body=body)


VECTORS: Final = (
    _attributes("F01", '{"k":["a"]}', k=text("a")),
    _attributes("F02", '{"k":["a"]}'),
    _attributes("F03", '{"k":["A"]}', k=text("a")),
    _attributes("F04", '{"k":["x","y"]}', k=array('["q","y"]')),
    _attributes("F05", '{"k":["x"]}', k=array("[x")),
    _attributes("F06", '{"k":[{"anything-but":["x"]}]}'),
    _attributes("F07", '{"k":[{"anything-but":["x"]}]}', k=array('["x","y"]')),
    _attributes("F08", '{"k":[{"exists":false}]}'),
    _attributes("F09", '{"k":[{"exists":true}]}', k=BINARY),
    _attributes("F10", '{"p":[{"numeric":["=",301.5]}]}', p=number("3.015e2")),
    _attributes("F11", '{"p":[{"numeric":[">",0,"<=",150]}]}', p=number("150")),
    _attributes("F12", '{"p":[{"numeric":[">",0,"<=",150]}]}', p=number("0")),
    _attributes("F13", '{"a":["1"],"b":["2"]}', a=text("1")),
    _attributes("F14", '{"$or":[{"a":["1"]},{"b":["2"]}]}', b=text("2")),
    _body("F15", '{"a":{"b":["x"]}}', '{"a":{"b":"x","c":1}}'),
    _body("F16", '{"a":["x"]}', "not json"),
    _body("F17", '{"a":["x"]}', '["x"]'),
    _body("F18", '{"a":[{"prefix":"ab"}]}', '{"a":["zz","abc"]}'),
    _body("F19", '{"a":{"b":["x"]}}', '{"a":[{"b":"y"},{"b":"x"}]}'),
    _body("F20", '{"a":[null]}', '{"a":null}'),
    _body("F21", '{"a":[{"cidr":"10.0.0.0/24"}]}', '{"a":"10.0.0.255"}'),
    _body("F22", '{"a":[{"suffix":".png"}]}', '{"a":"x.PNG"}'),
    _body("F23", '{"a.b":["x"]}', '{"a":{"b":"x"}}'),
    _body("F24", "{}", "anything"),
    _attributes("text prefix", '{"k":[{"prefix":"bas"}]}', k=text("baseball")),
    _attributes("text suffix", '{"k":[{"suffix":"ball"}]}', k=text("baseball")),
    _attributes("text in any case", '{"k":[{"equals-ignore-case":"tennis"}]}', k=text("TeNNis")),
    _attributes("wildcard", '{"k":[{"wildcard":"*ball"}]}', k=text("football")),
    _attributes("anything but a prefix", '{"k":[{"anything-but":{"prefix":"x"}}]}', k=text("yx")),
    _attributes("anything but that prefix", '{"k":[{"anything-but":{"prefix":"x"}}]}', k=text("xy")),
    _attributes("anything but a number", '{"k":[{"anything-but":100}]}', k=number("101")),
    _attributes("anything but that number", '{"k":[{"anything-but":[100]}]}', k=number("100")),
    _attributes("number literal", '{"k":[300]}', k=number("300")),
    _attributes("number literal, written otherwise", '{"k":[300]}', k=number("3e2")),
    _attributes("number literal, text", '{"k":[300]}', k=text("300")),
    _attributes("text literal, number", '{"k":["300"]}', k=number("300")),
    _attributes("numeric, text", '{"k":[{"numeric":["=",1]}]}', k=text("1")),
    _attributes("exists false, there", '{"k":[{"exists":false}]}', k=text("a")),
    _attributes("exists false or a value", '{"k":[{"exists":false},"a"]}', k=text("a")),
    _attributes("two keys", '{"a":["1"],"b":["2"]}', a=text("1"), b=text("2")),
    _attributes("true in an array", '{"k":[true]}', k=array("[true]")),
    _attributes("number in an array", '{"k":[1]}', k=array("[1, 2]")),
    _attributes("binary is no value", '{"k":[{"anything-but":["a"]}]}', k=BINARY),
    _body("body number", '{"a":[{"numeric":[">",100]}]}', '{"a":300}'),
    _body("body number as text", '{"a":[{"numeric":[">",100]}]}', '{"a":"300"}'),
    _body("body missing", '{"a":[{"exists":false}]}', "{}"),
    _body("body anything but, null", '{"a":[{"anything-but":["x"]}]}', '{"a":null}'),
    _body("body or", '{"$or":[{"a":["x"]},{"b":[{"numeric":["<",5]}]}]}', '{"b":1}'),
    _body("one element for all fields", '{"a":{"b":["x"],"c":["y"]}}', '{"a":[{"b":"x","c":"n"},{"b":"n","c":"y"}]}'),
    _body("body true", '{"a":[true]}', '{"a":true}'),
    _body("body empty text", '{"a":[""]}', '{"a":""}'),
)

REFUSED: Final = {
    "six keys": '{"a":["x"],"b":["x"],"c":["x"],"d":["x"],"e":["x"],"f":["x"]}',
    "too complex": '{"a":["1","2","3","4","5","6"],"b":["1","2","3","4","5","6"],"c":["1","2","3","4","5"]}',
    "empty array": '{"a":[]}',
    "scalar": '{"a":"x"}',
    "unknown operator": '{"a":[{"like":"x"}]}',
    "prefix of a number": '{"a":[{"prefix":100}]}',
    "exists of text": '{"a":[{"exists":"yes"}]}',
    "range upside down": '{"a":[{"numeric":[">",5,"<",1]}]}',
    "range of text": '{"a":[{"numeric":["<","x"]}]}',
    "malformed block": '{"a":[{"cidr":"10.0.0.0"}]}',
    "two operators": '{"a":[{"prefix":"x","suffix":"y"}]}',
    "nested": '{"a":{"b":["x"]}}',
    "no JSON": "{",
    "array": "[]",
}
"""Policies on attributes that SNS refuses, by what is wrong with them."""
