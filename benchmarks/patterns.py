"""Event patterns: how many events a second one pattern decides about, and a thousand of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import orjson

from benchmarks.figure import AtLeast, Figure
from eventmap.rules.pattern import EventPattern
from eventmap.rules.pattern.index import RuleIndex

RULES: Final = 1000

_EVENT: Final[dict[str, Any]] = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Order Placed 500",
    "source": "com.example.shop",
    "account": "123456789012",
    "time": "2026-01-01T12:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"],
    "detail": {
        "orderId": "order-0000000042",
        "state": "accepted-by-warehouse",
        "price": 500.5,
        "currency": "EUR",
        "customer": {"id": "c-7", "name": "Ada Lovelace", "email": "ada@example.com", "tags": ["new", "gift"]},
        "items": [{"sku": "apple", "quantity": 3, "price": 0.4}, {"sku": "bread", "quantity": 1, "price": 2.8}],
        "note": "z" * 410,
    },
}  # 1 KB as JSON

_PATTERN: Final[dict[str, Any]] = {
    "source": ["com.example.shop"],
    "detail": {"state": [{"prefix": "accepted"}], "price": [{"numeric": [">", 100, "<=", 1000]}]},
}

_RULES: Final[dict[str, tuple[Callable[[int], dict[str, Any]], AtLeast | None]]] = {
    "distinct exact detail types": (lambda number: {"detail-type": [f"Order Placed {number}"]}, AtLeast(100_000)),
    "numeric ranges of the same field": (
        lambda number: {"detail": {"price": [{"numeric": [">=", number, "<", number + 1]}]}},
        AtLeast(5_000),
    ),
    "wildcards that only asking decides": (
        lambda number: {"detail": {"orderId": [{"wildcard": f"*-{number - 458:010}*"}]}},
        None,
    ),
}


def measure(*, quick: bool) -> list[Figure]:
    rounds, count = (1, 200) if quick else (7, 100_000)
    text = orjson.dumps(_EVENT)
    pattern = EventPattern(_PATTERN)
    ceiling = f"parsing it {statistics.median(_rates(orjson.loads, text, rounds, count)):,.0f}/s"
    figures = [
        _figure("one pattern of three fields, from JSON text", pattern.matches, text, rounds, count, AtLeast(250_000)),
        _figure("the same, from a parsed document", pattern.matches, _EVENT, rounds, count, AtLeast(500_000)),
    ]
    for name, (make, target) in _RULES.items():
        index: RuleIndex[int] = RuleIndex()
        for number in range(RULES):
            index.add(number, EventPattern({"source": ["com.example.shop"], **make(number)}))
        assert index.matching(_EVENT) == [500]
        few = count // 4 if target else count // 100
        figures += [
            _figure(f"{RULES:,} rules, {name}, one matching", index.matching, _EVENT, rounds, few, target),
            _figure("the same, from JSON text", index.matching, text, rounds, few),
        ]
    return [replace(each, ceiling=ceiling) if "text" in each.name else each for each in figures]


def _figure(
    name: str, decide: Callable[[Any], object], event: object, rounds: int, count: int, target: AtLeast | None = None
) -> Figure:
    rates = _rates(decide, event, rounds, count)
    return Figure(benchmark="patterns", name=name, unit="events/s", rounds=rates, target=target)


def _rates(decide: Callable[[Any], object], event: object, rounds: int, count: int) -> tuple[float, ...]:
    return tuple(_rate(decide, event, count) for _ in range(rounds))


def _rate(decide: Callable[[Any], object], event: object, count: int) -> float:
    """By CPU time: the figures are those of one core, whoever else wants it."""
    assert decide(event)
    began_s = time.process_time()
    for _ in range(count):
        decide(event)
    return count / (time.process_time() - began_s)
