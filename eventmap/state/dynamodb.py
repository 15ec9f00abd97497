"""Leases in a DynamoDB table, on the KCL's schema, so that workers of both kinds share a stream (STR-160..203)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import anyio

from eventmap import clock
from eventmap.errors import SourceError, StateError, TransientSourceError
from eventmap.lease import Lease, Snapshot
from eventmap.model import JsonObject
from eventmap.state.lease_item import (
    BEAT,
    CHECKPOINT_OWNER,
    COUNTER,
    ENTITY_TYPE,
    KEY,
    LEASE,
    OWNER,
    UPDATED,
    WINDOW,
    WORKER,
    Item,
    entity_type,
    from_item,
    from_presence,
    to_item,
    to_presence,
)
from eventmap.state.lease_table import DynamoDbApi, make_ready
from eventmap.state.transitions import checkpointed, finished, released, renewed, taken

CREATES_AT_ONCE: Final = 16

FORGOTTEN_AFTER_S: Final = 3600
"""How long the presence of an eventmap worker that died stays in the table, at least; nobody counts it meanwhile."""

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class DynamoDbLeases:
    """A LeaseStore in `table`: one table for one application, as the KCL has it, KCL workers included.

    Items of other kinds are left alone (KCL-03), and so is every attribute of a lease that eventmap does not know. A
    change is one UpdateItem on the condition that counter, owner and checkpoint owner are as they were read.

    A table whose leases lack the `entityType` marker may have KCL workers before 3.5, which would take a worker's
    presence for a broken lease: there `announce` writes nothing, and others know this worker by its leases alone.

    `await prepare()` before anything else.
    Raises: TransientSourceError; StateError for what will not pass by itself, naming the table.
    """

    def __init__(self, api: DynamoDbApi, table: str) -> None:
        self.table = table
        self._api = api
        self._shares_with_old_kcl = False
        self._loads_percent: deque[float] = deque(maxlen=10)

    async def prepare(self, *, create: bool = True) -> None:
        """Make the table if it does not exist, and wait until it can be used; 60 s at most.

        `create` False = make none, and leave what is in it as it is: dead workers are not forgotten either.
        Raises: ConfigurationError if it is not a lease table; AccessRefused; SourceError; StateError, of which
        StateNotFound only if none may be made; TransientSourceError.
        """
        await make_ready(self._api, self.table, create=create)
        if create:
            await self._forget_the_dead()

    async def scan(self) -> Snapshot:
        """Strongly consistent; one call per MB, some 3,000 leases."""
        items = await self._items()
        workers = (from_presence(item) for item in items if entity_type(item) == WORKER)
        return Snapshot(
            leases=tuple(self._lease(item) for item in items if entity_type(item) == LEASE),
            workers=tuple(worker for worker in workers if worker is not None),
        )

    async def get(self, key: str) -> Lease | None:
        answer = await self._call("GetItem", {"Key": {KEY: {"S": key}}, "ConsistentRead": True})
        item: Item | None = answer.get("Item")
        return self._lease(item) if item and entity_type(item) == LEASE else None

    async def create(self, leases: Sequence[Lease]) -> None:
        """Sixteen at once; if one fails, others may have been created."""
        waiting = iter(leases)
        errors: list[TransientSourceError | StateError] = []

        async def create_in_turn() -> None:
            for lease in waiting:
                item = to_item(lease) | {ENTITY_TYPE: {"S": LEASE}}
                absent = {
                    "ConditionExpression": "attribute_not_exists(#key)",
                    "ExpressionAttributeNames": {"#key": KEY},
                }
                try:
                    await self._call_if("PutItem", {"Item": item, **absent})
                except (TransientSourceError, StateError) as error:
                    errors.append(error)
                    return

        async with anyio.create_task_group() as tasks:
            for _ in range(min(CREATES_AT_ONCE, len(leases))):
                tasks.start_soon(create_in_turn)
        if errors:
            raise errors[0]

    async def take(self, lease: Lease, owner: str, *, hand_over: bool = False) -> Lease | None:
        return await self._change(lease, taken(lease, owner, hand_over=hand_over))

    async def renew(self, lease: Lease) -> Lease | None:
        return await self._change(lease, renewed(lease))

    async def checkpoint(self, lease: Lease, checkpoint: str, window: JsonObject | None = None) -> Lease | None:
        """Raises also: StateError for a window that no item can hold, even compressed; see WINDOW_LIMIT_BYTES."""
        return await self._change(lease, checkpointed(lease, checkpoint, window))

    async def finish(self, lease: Lease, children: Sequence[str]) -> Lease | None:
        return await self._change(lease, finished(lease, children))

    async def release(self, lease: Lease) -> Lease | None:
        return await self._change(lease, released(lease))

    async def delete(self, lease: Lease) -> bool:
        condition = _unchanged(to_item(replace(lease, window=None)))
        return await self._call_if("DeleteItem", {"Key": {KEY: {"S": lease.key}}, **condition}) is not None

    async def announce(self, worker: str, beat: int) -> None:
        if self._shares_with_old_kcl:
            return
        if (load := _load_percent()) is not None:
            self._loads_percent.append(load)
        item = to_presence(beat, clock.wall_time_s(), self._loads_percent)
        await self._call("UpdateItem", {"Key": {KEY: {"S": worker}}, **_changing(item, ())})

    async def withdraw(self, worker: str) -> None:
        condition = {
            "ConditionExpression": "#type = :worker",
            "ExpressionAttributeNames": {"#type": ENTITY_TYPE},
            "ExpressionAttributeValues": {":worker": {"S": WORKER}},
        }
        await self._call_if("DeleteItem", {"Key": {KEY: {"S": worker}}, **condition})

    async def is_dead(self, worker: str) -> bool:
        """Always False: from another machine a dead worker and a slow one look the same."""
        return False

    async def _change(self, old: Lease, new: Lease) -> Lease | None:
        # A window is long, and costly to pack: it is only looked at if it changes.
        is_same_window = old.window == new.window
        was = to_item(replace(old, window=None))
        try:
            becomes = to_item(replace(new, window=None) if is_same_window else new)
        except ValueError as error:
            raise StateError(
                f'the tumbling window of lease "{new.key}" does not fit into lease table "{self.table}": {error}; '
                "keep its state smaller, or the leases in a state file"
            ) from error
        changed = {name: value for name, value in becomes.items() if was.get(name) != value}
        gone = [name for name in was if name not in becomes]
        if old.window is not None and new.window is None:
            gone.append(WINDOW)
        update = _joined(_unchanged(was), _changing(changed, gone))
        key = {"Key": {KEY: {"S": old.key}}, "ReturnValues": "ALL_NEW"}
        answer = await self._call_if("UpdateItem", key | update)
        return None if answer is None else self._lease(answer.get("Attributes") or {})

    async def _forget_the_dead(self) -> None:
        """A worker that died leaves its presence behind; the KCL's are its leader's business."""
        long_ago = clock.wall_time_s() - FORGOTTEN_AFTER_S
        for item in await self._items():
            is_ours = entity_type(item) == WORKER and BEAT in item and UPDATED in item
            if is_ours and int(item[UPDATED]["N"]) < long_ago:
                unchanged = {
                    "ConditionExpression": "#updated = :updated",
                    "ExpressionAttributeNames": {"#updated": UPDATED},
                    "ExpressionAttributeValues": {":updated": item[UPDATED]},
                }
                await self._call_if("DeleteItem", {"Key": {KEY: item[KEY]}, **unchanged})

    async def _items(self) -> list[Item]:
        items: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            page = await self._call("Scan", {"ConsistentRead": True, **start})
            # An item with nothing but its key is being written this moment, on a server whose writes are not atomic.
            items += (item for item in page.get("Items") or () if len(item) > 1)
            if not page.get("LastEvaluatedKey"):
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        self._shares_with_old_kcl = any(entity_type(item) == LEASE and ENTITY_TYPE not in item for item in items)
        return items

    async def _call_if(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """A conditional write; None if its condition did not hold."""
        with self._reported():
            try:
                return await self._api.call(operation, {"TableName": self.table, **parameters})
            except SourceError as error:
                if error.code != _CONDITION_FAILED:
                    raise
                return None

    async def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._reported():
            return await self._api.call(operation, {"TableName": self.table, **parameters})

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except TransientSourceError:
            raise
        except SourceError as error:
            raise StateError(f'lease table "{self.table}" cannot be used: {error}') from error

    def _lease(self, item: Item) -> Lease:
        try:
            return from_item(item)
        except ValueError as error:
            raise StateError(
                f'lease table "{self.table}" holds the item {item.get(KEY, {}).get("S")!r}, which is not a lease '
                f"({error}): remove it, or name another table, which is made if it does not exist"
            ) from error


def _unchanged(was: Item) -> dict[str, Any]:
    """The condition that counter and rights stand as they were read (STR-197..199)."""
    names, values, terms = {}, {}, []
    for index, name in enumerate((COUNTER, OWNER, CHECKPOINT_OWNER)):
        names[f"#was{index}"] = name
        if name in was:
            values[f":was{index}"] = was[name]
            terms.append(f"#was{index} = :was{index}")
        else:
            terms.append(f"attribute_not_exists(#was{index})")
    return {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _changing(changed: Mapping[str, Any], gone: Sequence[str]) -> dict[str, Any]:
    """The update that sets and removes these attributes and no others."""
    names = {f"#{index}": name for index, name in enumerate([*changed, *gone])}
    sets = ", ".join(f"#{index} = :{index}" for index in range(len(changed)))
    removes = ", ".join(f"#{index}" for index in range(len(changed), len(names)))
    return {
        "UpdateExpression": f"SET {sets}" + (f" REMOVE {removes}" if removes else ""),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":{index}": value for index, value in enumerate(changed.values())},
    }


def _joined(condition: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **condition,
        **change,
        "ExpressionAttributeNames": condition["ExpressionAttributeNames"] | change["ExpressionAttributeNames"],
        "ExpressionAttributeValues": condition["ExpressionAttributeValues"] | change["ExpressionAttributeValues"],
    }


def _load_percent() -> float | None:
    """How busy this machine's processors are, 0..100; None where the system does not say."""
    if not hasattr(os, "getloadavg"):
        return None
    return min(100.0, 100.0 * os.getloadavg()[0] / (os.cpu_count() or 1))
