"""What a store of positions answers to who wants to begin a run. A position is how far a schedule is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claimed:
    """The run is the asker's to begin, until its claim is given up."""

    position: int  #: epoch seconds


@dataclass(frozen=True, slots=True)
class Passed:
    """Another worker has begun that run, and perhaps later ones."""

    position: int  #: epoch seconds


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another worker is at it."""

    again_s: float  #: when to ask again, in seconds: it is done by then, or has died


Claim = Claimed | Passed | Elsewhere
