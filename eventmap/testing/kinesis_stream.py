"""One Kinesis stream in memory: who takes which hash, and how its shards are split and merged (STR-146, 147, 158)."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Final

from eventmap.errors import SourceError
from eventmap.testing.kinesis_limits import ReadAllowance
from eventmap.testing.sqs_settings import ACCOUNT, REGION
from eventmap.testing.stream_shards import HASHES, ShardTree, StoredShard

INVALID: Final = "InvalidArgumentException"
_SCALE: Final = 10**45  # sequence numbers of 55 digits, then 56


class KinesisStream:
    """A stream; `number` tells it from every other there is or was."""

    def __init__(
        self, name: str, number: int, shard_count: int, *, seed: int, listing_lag_s: float, now_s: float, wall_s: float
    ) -> None:
        self.name: str = name
        self.number: int = number
        self.arn: str = stream_arn(name)
        self.status: str = "ACTIVE"
        self.created_at: float = round(wall_s, 3)
        self.reads: Counter[str] = Counter()
        self.allowances: dict[str, ReadAllowance] = {}
        self.shards: ShardTree = ShardTree(
            shard_count,
            now_s,
            stream_number=number,
            scale=_SCALE,
            name_shard=lambda index: f"shardId-{index:012}",
            dice=random.Random(f"{seed}/{name}/{number}"),
            listing_lag_s=listing_lag_s,
        )

    def split(self, shard_id: str, at: int | None, now_s: float) -> tuple[str, str]:
        """Raises: ShardGone; SourceError if it is closed, or if `at` leaves one of the children without a hash."""
        parent = self._open(shard_id)
        first, last = parent.hashes
        middle = (first + last + 1) // 2 if at is None else at
        if not first < middle <= last:
            raise SourceError(f"{middle} does not split {shard_id}: choose {first + 1} to {last}", code=INVALID)
        left, right = self.shards.replace([parent], [(first, middle - 1), (middle, last)], now_s)
        return left.shard_id, right.shard_id

    def merge(self, shard_id: str, adjacent_id: str, now_s: float) -> str:
        """Raises: ShardGone; SourceError if one is closed, or they are not neighbours."""
        parents = [self._open(shard_id), self._open(adjacent_id)]
        low, high = sorted(parent.hashes for parent in parents)
        if low[1] + 1 != high[0]:
            raise SourceError(f"{shard_id} and {adjacent_id} are not neighbours: merge those that are", code=INVALID)
        [child] = self.shards.replace(parents, [(low[0], high[1])], now_s)
        return child.shard_id

    def rescale(self, count: int, now_s: float) -> None:
        """Split and merge until `count` shards have equal shares."""
        bounds = [HASHES * n // count for n in range(count)]
        for bound in bounds:
            holder = self.shards.holder(bound)
            if holder.hashes[0] != bound:
                self.split(holder.shard_id, bound, now_s)
        keeps = set(bounds)
        while neighbour := next((shard for shard in self.shards.open if shard.hashes[0] not in keeps), None):
            left = self.shards.holder(neighbour.hashes[0] - 1)
            self.merge(left.shard_id, neighbour.shard_id, now_s)

    def summary(self, retention_s: float) -> dict[str, Any]:
        """`StreamDescriptionSummary`."""
        return {
            "StreamName": self.name,
            "StreamARN": self.arn,
            "StreamStatus": self.status,
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": int(retention_s // 3_600),
            "StreamCreationTimestamp": self.created_at,
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
            "OpenShardCount": len(self.shards.open),
            "ConsumerCount": 0,
        }

    def _open(self, shard_id: str) -> StoredShard:
        shard = self.shards[shard_id]
        if shard.closed_s is not None:
            raise SourceError(f"{shard_id} is closed: only an open shard can be split or merged", code=INVALID)
        return shard


def stream_arn(name: str) -> str:
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def listed_shard(shard: StoredShard, *, is_closed: bool) -> dict[str, Any]:
    """An element of `Shards`, as ListShards shows it."""
    sequences = {"StartingSequenceNumber": str(shard.numbers.first)}
    if is_closed:
        sequences["EndingSequenceNumber"] = str(shard.numbers.last)
    parents = dict(zip(("ParentShardId", "AdjacentParentShardId"), shard.parents, strict=False))
    return {
        "ShardId": shard.shard_id,
        **parents,
        "HashKeyRange": _hash_range(shard),
        "SequenceNumberRange": sequences,
    }


def child_shard(shard: StoredShard) -> dict[str, Any]:
    """An element of `ChildShards`, as the last GetRecords of a closed shard shows it."""
    return {"ShardId": shard.shard_id, "ParentShards": list(shard.parents), "HashKeyRange": _hash_range(shard)}


def _hash_range(shard: StoredShard) -> dict[str, str]:
    return {"StartingHashKey": str(shard.hashes[0]), "EndingHashKey": str(shard.hashes[1])}
