"""Idempotency: a handler, or each record of a batch, runs once per key within a time.

The names are loaded when they are first used, so that a handler pays only for the store it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventmap.errors import (
        AlreadyInProgress,
        ClaimLost,
        IdempotencyError,
        KeyNotFound,
        KeyReused,
        ResultNotStorable,
    )
    from eventmap.idempotency.decorator import idempotent
    from eventmap.idempotency.dynamodb import DynamoDbStore
    from eventmap.idempotency.memory import MemoryStore
    from eventmap.idempotency.ports import Store
    from eventmap.idempotency.sqlite import SqliteStore

__all__ = [
    "AlreadyInProgress",
    "ClaimLost",
    "DynamoDbStore",
    "IdempotencyError",
    "KeyNotFound",
    "KeyReused",
    "MemoryStore",
    "ResultNotStorable",
    "SqliteStore",
    "Store",
    "idempotent",
]

_ERRORS = "eventmap.errors"
_HOMES = {
    "AlreadyInProgress": _ERRORS,
    "ClaimLost": _ERRORS,
    "DynamoDbStore": "eventmap.idempotency.dynamodb",
    "IdempotencyError": _ERRORS,
    "KeyNotFound": _ERRORS,
    "KeyReused": _ERRORS,
    "MemoryStore": "eventmap.idempotency.memory",
    "ResultNotStorable": _ERRORS,
    "SqliteStore": "eventmap.idempotency.sqlite",
    "Store": "eventmap.idempotency.ports",
    "idempotent": "eventmap.idempotency.decorator",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
