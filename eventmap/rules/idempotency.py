"""What becomes of one key: who may run, what is answered, whose result is kept.

    absent ──claim──▶ Claimed(token, until_s) ──commit, same token──▶ Done(result, until_s)
       ▲                │        │  ▲                                   │
       │                │        └──┘ claim, once until_s has passed:   │
       │                │             a new token, the old one is       │
       ├─release,───────┘             fenced out                        │
       │ same token                                                     │
       └────────────────────────── once until_s has passed ─────────────┘

The token is the fence. Times only decide when another may claim: a clock that is wrong lets a key run twice, and never
lets two of its runs commit. A late commit whose token still stands is good: nobody has begun in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MARGIN_S: Final = 1.0
"""A claim outlives its invocation's deadline by this: clocks differ, and a commit begun in time takes some."""

CLAIM_KEPT_S: Final = 3600.0
"""How long a claim that has expired is kept, so that its late commit still finds its token, seconds."""

FIRST_PAUSE_S: Final = 0.05
LONGEST_PAUSE_S: Final = 1.0
SHORTEST_PAUSE_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Claimed:
    """Somebody runs, or died running."""

    token: str  #: random, of one call
    until_s: float  #: from then on another may claim; seconds since the epoch
    checksum: str = ""  #: of what must not differ under one key; "" = not compared


@dataclass(frozen=True, slots=True)
class Done:
    """A run has committed."""

    token: str  #: of the claim it was
    until_s: float  #: from then on the key may run again; seconds since the epoch
    result: str  #: JSON text
    checksum: str = ""


Entry = Claimed | Done


@dataclass(frozen=True, slots=True)
class Won:
    """The claim stands: run."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody ran already: do not, and answer this."""

    result: str  #: JSON text


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else runs."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Reused:
    """The key stands for something else."""


Verdict = Won | Answered | Busy | Reused


def claimed(before: Entry | None, claim: Claimed, now: float) -> Entry:
    """What stands after `claim` was laid on what stood `before`: the claim itself, unless that still lives.

    Repeated after a lost answer it finds itself, and stands.
    """
    return claim if before is None or before.until_s <= now else before


def committed(before: Entry | None, done: Done) -> Entry | None:
    """What stands after `done` was to be committed: that, if the claim with its token stood.

    Repeated after a lost answer it changes nothing.
    """
    return done if isinstance(before, Claimed) and before.token == done.token else before


def released(before: Entry | None, token: str) -> Entry | None:
    """What stands after the run of `token` failed: nothing, or what is not its claim."""
    return None if isinstance(before, Claimed) and before.token == token else before


def is_committed(after: Entry | None, done: Done) -> bool:
    """Whether what stands after a commit says that it is, or was, done; else the claim was lost."""
    return isinstance(after, Done) and after.token == done.token


def verdict(standing: Entry, claim: Claimed) -> Verdict:
    """What the caller whose `claim` was laid has to do about what stands now."""
    if isinstance(standing, Claimed) and standing.token == claim.token:
        return Won()
    if standing.checksum and claim.checksum and standing.checksum != claim.checksum:
        return Reused()
    return Answered(standing.result) if isinstance(standing, Done) else Busy(standing.until_s)


def claim_until_s(now: float, remaining_s: float | None, claim_s: float) -> float:
    """When a claim laid now expires: with its invocation, and the margin, or after `claim_s` where there is none."""
    return now + (claim_s if remaining_s is None else remaining_s + MARGIN_S)


def kept_until_s(entry: Entry) -> float:
    """From then on a store may forget it."""
    return entry.until_s + CLAIM_KEPT_S if isinstance(entry, Claimed) else entry.until_s


def longest_wait_s(wait_s: float, remaining_s: float | None) -> float:
    """How long to wait for another's result: not so long that the invocation is timed out meanwhile."""
    return wait_s if remaining_s is None else max(0.0, min(wait_s, remaining_s - MARGIN_S))


def pause_s(waited_s: float, longest_s: float, busy_s: float) -> float | None:
    """Seconds until the next look, None = no more: doubling, up to a second, and at once when the claim expires.

    `waited_s`: so far, of `longest_s`; `busy_s`: until the other's claim expires.
    """
    if waited_s >= longest_s:
        return None
    doubled = min(max(waited_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
    return min(doubled, max(busy_s, SHORTEST_PAUSE_S), longest_s - waited_s)
