"""How events are tried again, or given up, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from eventmap.cli.confirming import confirm
from eventmap.cli.event_summary import OWED
from eventmap.cli.failure import DONE, FAILED, Misuse
from eventmap.state.events_view import Dropped, EventState, Retried, drop, list_events, retry

_BATCH: Final = 500  # in one transaction: who works on the file waits no longer for it
_TO_RETRY: Final[tuple[EventState, ...]] = ("waiting", "failed")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events are meant."""

    ids: tuple[str, ...]
    every: bool
    function: str | None  #: with `every`: only of this one

    def found(self, path: Path, states: Sequence[EventState]) -> list[str]:
        """Their request ids. Raises: Misuse if it is not said which; StateError."""
        if bool(self.ids) == self.every:
            raise Misuse("say which events: their request ids, or --all")
        if self.ids and self.function is not None:
            raise Misuse("--function is for --all: a request id says which event is meant")
        if self.ids:
            return list(dict.fromkeys(self.ids))
        return [row.request_id for state in states for row in list_events(path, state=state, function=self.function)]


def retry_events(path: Path, chosen: Chosen, *, yes: bool) -> int:
    """Try them now, when it is confirmed; returns the exit code. Raises: Misuse, Refused, StateError."""
    ids = chosen.found(path, _TO_RETRY)
    if not ids:
        typer.echo("no event waits or was given up")
        return DONE
    confirm(f"Try {_events(len(ids))} now?", yes=yes)
    came: dict[str, Retried] = {}
    for batch in _batches(ids):
        came |= retry(path, batch)
    done = [each for each, became in came.items() if became in ("due now", "owed anew")]
    typer.echo(f"{_events(len(done))} due now")
    return _tell_others(came, done, {"succeeded": "has succeeded already", "unknown": "is not known"})


def drop_events(path: Path, chosen: Chosen, *, yes: bool) -> int:
    """Give them up, when it is confirmed; as `retry_events`."""
    ids = chosen.found(path, OWED)
    if not ids:
        typer.echo("all events have ended")
        return DONE
    confirm(f"Give up {_events(len(ids))}? No destination is told.", yes=yes)
    came: dict[str, Dropped] = {}
    for batch in _batches(ids):
        came |= drop(path, batch)
    done = [each for each, became in came.items() if became == "dropped"]
    typer.echo(f"{_events(len(done))} dropped")
    return _tell_others(came, done, {"ended": "has ended already", "unknown": "is not known"})


def _tell_others(came: Mapping[str, str], done: Sequence[str], words: Mapping[str, str]) -> int:
    others = {each: became for each, became in came.items() if each not in set(done)}
    for request_id, became in others.items():
        typer.echo(f"eventmap: {request_id} {words[became]}", err=True)
    return FAILED if others else DONE


def _batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"
