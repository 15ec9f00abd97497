"""What an operation is, and what several of them share."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eventmap.errors import BusRefusal
from eventmap.model import JsonObject
from eventmap.rules.bus.definitions import BusRule, Definitions

Request = Mapping[str, Any]
Answered = tuple[Definitions, JsonObject]
Operation = Callable[[Definitions, Request, float], Answered]
"""The last argument is the time now, epoch seconds. Those who only look answer with the definitions they were given."""

PAGE_LIMIT: Final = 100


def said(**members: Any) -> JsonObject:
    """Members that have a value; AWS leaves out the others."""
    return {name: value for name, value in members.items() if value is not None}


def page(request: Request, items: Sequence[tuple[str, Any]], member: str) -> JsonObject:
    """One page of `items`, which are in the order of their unique keys. Raises: BusRefusal for a token of none."""
    after, limit = _read_token(request.get("NextToken")), request.get("Limit") or PAGE_LIMIT
    left = [(key, item) for key, item in items if key > after]
    answer: dict[str, Any] = {member: [item for _, item in left[:limit]]}
    if len(left) > limit:
        answer["NextToken"] = base64.urlsafe_b64encode(left[limit - 1][0].encode()).decode()
    return answer


def refuse_managed(rule: BusRule) -> None:
    """Raises: BusRefusal."""
    if rule.managed_by is not None:
        raise BusRefusal(
            "ManagedRuleException",
            f"Rule {rule.name} is managed by {rule.managed_by}: it is declared in code, so change it there.",
        )


def refused(message: str) -> BusRefusal:
    return BusRefusal("ValidationException", message)


def check_one_filter(request: Request, operation: str) -> None:
    """Raises: BusRefusal."""
    if sum(request.get(name) is not None for name in ("State", "EventSourceArn", "NamePrefix")) > 1:
        raise refused(
            f"At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix."
        )


def _read_token(token: str | None) -> str:
    try:
        return base64.b64decode(token or "", altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise refused("Parameter NextToken is not valid. Reason: it is none that a page ended with.") from None
