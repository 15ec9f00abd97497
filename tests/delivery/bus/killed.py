"""A process with event buses in a file, made to be killed; it notes what it did where a kill takes nothing."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence
from pathlib import Path

import anyio
import orjson

from eventmap.delivery.bus.engine import BusEngine
from eventmap.errors import TransientSourceError
from eventmap.rules.bus.operations import OPERATIONS
from eventmap.rules.parcel import Parcel
from eventmap.state.buses_sqlite import SqliteBuses

from .scene import FUNCTION, QUEUE, REGION

SENDERS = 8
PUTS_OF_A_LIFE = 64
ACCEPTED, RECEIVED = "accepted", "received"


class Notes:
    """Lines in `folder`, one file per kind; what `os.write` has returned from outlives the process."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._files = {kind: os.open(folder / kind, flags) for kind in (ACCEPTED, RECEIVED)}

    def note(self, kind: str, *lines: str) -> None:
        os.write(self._files[kind], "".join(f"{line}\n" for line in lines).encode())


def noted(folder: Path, kind: str) -> Sequence[str]:
    file = folder / kind
    return file.read_text().splitlines() if file.exists() else []


def live(folder: Path, life: int, is_last: bool) -> None:
    """One life: it puts events and delivers them until it is killed; the last one, until nothing is owed."""
    logging.disable(logging.CRITICAL)
    anyio.run(_live, folder, life, is_last)


async def _live(folder: Path, life: int, is_last: bool) -> None:
    notes, dice = Notes(folder), random.Random(life)

    class Noting:
        def __init__(self, arn: str) -> None:
            self.arn = arn

        async def send(self, parcel: Parcel) -> None:
            await anyio.sleep(dice.choice([0, 0, 0.001, 0.01]))
            if not is_last and dice.random() < 0.1:
                raise TransientSourceError("down")
            notes.note(RECEIVED, f"{self.arn} {orjson.loads(parcel.body)['id']}")

    async def open_target(arn: str, *, message_group_id: str | None) -> Noting:
        return Noting(arn)

    async def put(engine: BusEngine) -> None:
        for _ in range(PUTS_OF_A_LIFE // SENDERS):
            count = dice.choice([1, 1, 3, 10])
            entry = {
                "Source": "shop",
                "DetailType": "d",
                "Detail": orjson.dumps({"x": "y" * dice.choice([1, 5_000])}).decode(),
            }
            answer = await engine.put_events([entry] * count)
            notes.note(ACCEPTED, *(each["EventId"] for each in answer["Entries"]))  # type: ignore[union-attr,call-overload,index]

    store = SqliteBuses(folder / "buses.sqlite")
    engine = BusEngine(store, REGION, open_target, dice=random.Random(f"{life} {os.getpid()}"))
    await engine.prepare()
    for operation, request in (
        ("PutRule", {"Name": "r", "EventPattern": '{"source":["shop"]}'}),
        ("PutTargets", {"Rule": "r", "Targets": [{"Id": "f", "Arn": FUNCTION}, {"Id": "q", "Arn": QUEUE}]}),
    ):
        await engine.change(lambda now_is, now, o=operation, r=request: OPERATIONS[o](now_is, r, now))
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        if is_last:
            await engine.idle()
            await engine.drain(10)
        else:
            async with anyio.create_task_group() as senders:
                for _ in range(SENDERS):
                    senders.start_soon(put, engine)
            await anyio.sleep_forever()
    await store.aclose()
