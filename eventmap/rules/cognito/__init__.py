"""The triggers of Cognito user pools: their events, and what becomes of an answer (SRC-110..127)."""

from __future__ import annotations

from eventmap.rules.cognito.answer import ATTEMPTS, LIMIT_S, is_repeated, response_of
from eventmap.rules.cognito.samples import sample
from eventmap.rules.cognito.triggers import TRIGGER_SOURCES, TRIGGERS, Trigger, trigger_of

__all__ = [
    "ATTEMPTS",
    "LIMIT_S",
    "TRIGGERS",
    "TRIGGER_SOURCES",
    "Trigger",
    "is_repeated",
    "response_of",
    "sample",
    "trigger_of",
]
