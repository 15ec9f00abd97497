"""One stream of a DynamoDB table in memory: changes become records, shards roll over (STR-120..133, STR-148)."""

from __future__ import annotations

import random
from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any, Final

from eventmap.errors import SourceError
from eventmap.testing.dynamodb_items import VALIDATION, item_bytes, key_text
from eventmap.testing.dynamodb_table import EXPIRED_BY, Change, Table
from eventmap.testing.sqs_settings import REGION
from eventmap.testing.stream_shards import Placed, ShardTree, StoredRecord, StoredShard, hash_of

RETENTION_S: Final = 86_400.0
_SCALE: Final = 10**11  # sequence numbers of 21 digits, then 22


class TableStream:
    """A stream; `number` tells it from every other there is or was, its label from the others of its table."""

    def __init__(
        self,
        table: Table,
        number: int,
        label: str,
        view_type: str,
        shard_count: int,
        *,
        seed: int,
        shard_lifetime_s: float | None,
        listing_lag_s: float,
        now_s: float,
        wall_s: float,
    ) -> None:
        self.table: Table = table
        self.number: int = number
        self.label: str = label
        self.arn: str = f"{table.arn}/stream/{label}"
        self.view_type: str = view_type
        self.created_at: float = round(wall_s, 3)
        self.disabled_s: float | None = None  #: on the service's clock; None = enabled
        self.reads: Counter[str] = Counter()
        self._dice = random.Random(f"{seed}/{table.name}/{number}")
        self._shard_lifetime_s = shard_lifetime_s
        started_ms = round(wall_s * 1_000)
        self.shards: ShardTree = ShardTree(
            shard_count,
            now_s,
            stream_number=number,
            scale=_SCALE,
            name_shard=lambda index: f"shardId-{started_ms + index:020}-{self._dice.getrandbits(32):08x}",
            dice=self._dice,
            listing_lag_s=listing_lag_s,
        )
        self._rolling: deque[StoredShard] = deque(self.shards.open)  # in the order they were opened

    def advance(self, now_s: float) -> None:
        """Roll over what is due, and drop the shards nothing of which is kept."""
        lifetime_s = self._shard_lifetime_s
        while lifetime_s is not None and self._rolling and self._rolling[0].opened_s + lifetime_s <= now_s:
            shard = self._rolling.popleft()
            if shard.closed_s is None:
                self._replace(shard, 1, shard.opened_s + lifetime_s)
        self.shards.forget(now_s - RETENTION_S)

    def roll(self, shard_id: str, now_s: float) -> str:
        """Close a shard and open its successor. Raises: ShardGone; SourceError if it is closed."""
        [child] = self._replace(self._open(shard_id), 1, now_s)
        return child.shard_id

    def split(self, shard_id: str, now_s: float) -> tuple[str, str]:
        """Close a shard and open two for its halves. Raises: ShardGone; SourceError if it is closed."""
        left, right = self._replace(self._open(shard_id), 2, now_s)
        return left.shard_id, right.shard_id

    def disable(self, now_s: float) -> None:
        self.shards.replace(list(self.shards.open), [], now_s)
        self.disabled_s = now_s

    def is_gone(self, now_s: float) -> bool:
        """Whether it was disabled so long ago that nothing of it can be read (STR-150)."""
        return self.disabled_s is not None and self.disabled_s + RETENTION_S <= now_s

    def add(self, change: Change, now_s: float, wall_s: float, *, expired: bool) -> Placed:
        """Write the record of a change; `expired` says that TTL made it (STR-129)."""
        shard = self.shards.holder(hash_of(key_text(change.keys[self.table.key])))
        sequence = shard.numbers.next()
        images = change.images(self.view_type)
        size = item_bytes(change.keys) + sum(map(item_bytes, images.values()))
        created_at = float(int(wall_s))  # the service rounds down to the second
        record: dict[str, Any] = {
            "eventID": f"{self._dice.getrandbits(128):032x}",
            "eventName": change.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": created_at,
                "Keys": change.keys,
                **images,
                "SequenceNumber": str(sequence),
                "SizeBytes": size,
                "StreamViewType": self.view_type,
            },
        }
        if expired:
            record["userIdentity"] = dict(EXPIRED_BY)
        shard.append(StoredRecord(sequence, record, size, now_s, created_at))
        return Placed(shard.shard_id, str(sequence))

    def description(self, shards: list[tuple[StoredShard, bool]]) -> dict[str, Any]:
        """`StreamDescription` with these shards, each with whether it shows as closed."""
        return {
            "StreamArn": self.arn,
            "StreamLabel": self.label,
            "StreamStatus": "ENABLED" if self.disabled_s is None else "DISABLED",
            "StreamViewType": self.view_type,
            "CreationRequestDateTime": self.created_at,
            "TableName": self.table.name,
            "KeySchema": self.table.key_schema,
            "Shards": [_listed_shard(shard, is_closed=closed) for shard, closed in shards],
        }

    def _replace(self, parent: StoredShard, count: int, now_s: float) -> list[StoredShard]:
        first, last = parent.hashes
        middle = (first + last + 1) // 2
        ranges = [(first, last)] if count == 1 else [(first, middle - 1), (middle, last)]
        children = self.shards.replace([parent], ranges, now_s)
        self._rolling.extend(children)
        return children

    def _open(self, shard_id: str) -> StoredShard:
        shard = self.shards[shard_id]
        if shard.closed_s is not None:
            raise SourceError(f"{shard_id} is closed already", code=VALIDATION)
        return shard


def stream_label(wall_s: float) -> str:
    """The last part of a stream's ARN, such as `2026-01-01T00:00:00.000`."""
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def _listed_shard(shard: StoredShard, *, is_closed: bool) -> dict[str, Any]:
    sequences = {"StartingSequenceNumber": str(shard.numbers.first)}
    if is_closed:
        sequences["EndingSequenceNumber"] = str(shard.numbers.last)
    listed: dict[str, Any] = {"ShardId": shard.shard_id, "SequenceNumberRange": sequences}
    if shard.parents:
        listed["ParentShardId"] = shard.parents[0]
    return listed
