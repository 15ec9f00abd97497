"""The events of Lambda's sources: what kind one is, the shape of their records, what is packed inside."""

from __future__ import annotations

from eventmap.rules.events.kinds import KINDS, EventKind, kind_of

__all__ = ["KINDS", "EventKind", "kind_of"]
