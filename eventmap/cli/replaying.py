"""How a replay is a run: leases of its own that end with it, and a beginning of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from eventmap import service
from eventmap.cli.failure import Misuse
from eventmap.cli.instant import epoch_seconds
from eventmap.cli.plan import Plan
from eventmap.cli.run_options import RunOptions
from eventmap.errors import ConfigurationError
from eventmap.lease import SHARD_END, Lease
from eventmap.shard import AT_TIMESTAMP, TRIM_HORIZON, Shard

_SHORTEST_SEQUENCE: Final = 15  # digits; a time has fewer, a sequence number more (STR-112, STR-127)


def options_for_replay(options: RunOptions, begin: str, shard: str | None) -> RunOptions:
    """The run that replays from `begin`: TRIM_HORIZON, a time, or a sequence number. Raises: Misuse.

    A table's stream cannot be begun at a time (STR-16): there it is read whole, and filtered by its records' times.
    """
    options = replace(options, replay_from=begin, replay_shard=shard, starting_position=TRIM_HORIZON)
    if begin == TRIM_HORIZON or _is_sequence(begin):
        return options
    begin_s = epoch_seconds(begin, "--from")
    if options.kinesis:
        return replace(options, starting_position=AT_TIMESTAMP, starting_position_timestamp=begin_s)
    return replace(options, filter=_since(begin_s, options.filter))


@asynccontextmanager
async def leases_for_replay(
    options: RunOptions, plan: Plan, settings: service.Settings
) -> AsyncIterator[service.Settings]:
    """Settings whose leases are the replay's own, for as long as the block. Raises: ConfigurationError, SourceError."""
    begin, shard_id = options.replay_from or TRIM_HORIZON, options.replay_shard
    if shard_id is None and not _is_sequence(begin):
        yield replace(settings, leases="memory", state=None)
        return
    [mapping] = plan.streams
    with tempfile.TemporaryDirectory(prefix="eventmap-replay-") as folder:
        settings = replace(settings, leases="sqlite", state=Path(folder, "state.sqlite"))
        async with service.open_application(settings, mapping, create=True) as (_, application):
            shards = await application.source.shards(fresh=True)
            chosen = _chosen(shards, shard_id)
            # Read again what the checkpoint names: it is the first record of the replay.
            at = Lease("", begin, sub_sequence=1) if _is_sequence(begin) else Lease("", str(mapping.starting_position))
            leases = [
                replace(
                    at if shard.shard_id == chosen else Lease("", SHARD_END),
                    key=f"{application.prefix}{shard.shard_id}",
                    stream=application.stream,
                    parents=shard.parents,
                    hash_range=shard.hash_range,
                )
                for shard in shards
                if shard.shard_id not in _descendants(chosen, shards)
            ]
            await application.store.create(leases)
        yield settings


def _chosen(shards: Sequence[Shard], shard_id: str | None) -> str:
    names = [shard.shard_id for shard in shards]
    if shard_id is None:
        if len(names) == 1:
            return names[0]
        raise ConfigurationError(
            f"a sequence number belongs to one shard, and there are {len(names)}: say which with --shard"
        )
    if shard_id not in names:
        raise ConfigurationError(f"the stream has no shard {shard_id!r}: `eventmap streams` shows those it has")
    return shard_id


def _descendants(shard_id: str, shards: Sequence[Shard]) -> set[str]:
    """The shards that came of it, which follow it in the replay."""
    found: set[str] = set()
    while more := {
        shard.shard_id
        for shard in shards
        if shard.shard_id not in found and not {shard_id, *found}.isdisjoint(shard.parents)
    }:
        found |= more
    return found


def _is_sequence(text: str) -> bool:
    return text.isdecimal() and len(text) >= _SHORTEST_SEQUENCE


def _since(begin_s: float, patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns, each with the time of a record as one more condition."""
    condition = {"ApproximateCreationDateTime": [{"numeric": [">=", begin_s]}]}
    return tuple(json.dumps(_with(pattern, condition)) for pattern in patterns or ("{}",))


def _with(pattern: str, condition: dict[str, Any]) -> dict[str, Any]:
    try:
        document = json.loads(pattern)
    except ValueError as error:
        raise Misuse(f"--filter {pattern!r} is not JSON: {error}") from None
    data = document.get("dynamodb", {}) if isinstance(document, dict) else None
    if not isinstance(data, dict) or condition.keys() & data.keys():
        raise Misuse(f"--filter {pattern!r} cannot be joined with --from: it has a place of its own for the time")
    return {**document, "dynamodb": {**data, **condition}}
