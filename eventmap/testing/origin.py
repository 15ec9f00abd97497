"""Where and when a made event says it comes from, and its identifiers: the same each time it is made."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from eventmap.errors import InvalidParameterValue
from eventmap.rules.partition import partition

_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """The region, account and moment an event is from. Two with another `seed` have no identifier in common.

    Raises: InvalidParameterValue for what is no region or account, and for a moment without a time zone.
    """

    region: str = "us-east-1"
    account_id: str = "123456789012"
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seed: int = 0

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise InvalidParameterValue(f"region {self.region!r} is none; it looks like us-east-1")
        if not _ACCOUNT.fullmatch(self.account_id):
            raise InvalidParameterValue(f"account_id {self.account_id!r} is no account: it has twelve digits")
        if self.at.utcoffset() is None:
            raise InvalidParameterValue(f"at {self.at.isoformat()} has no time zone: say which, such as timezone.utc")

    def arn(self, service: str, resource: str) -> str:
        """In the partition the region is of."""
        return f"arn:{partition(self.region)}:{service}:{self.region}:{self.account_id}:{resource}"

    @property
    def epoch_ms(self) -> int:
        return round(self.at.timestamp() * 1_000)

    def iso(self, timespec: str = "milliseconds") -> str:
        """`2026-01-01T00:00:00.000Z`; in whole seconds with timespec "seconds"."""
        return self.at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")

    def uuid(self, of: str, number: int = 0) -> str:
        """The identifier of the thing called `of`; a `number` for each of several."""
        return str(uuid.UUID(bytes=self._digest(of, number)[:16], version=4))

    def hexadecimal(self, of: str, number: int = 0, *, length: int = 32) -> str:
        """The same as up to 64 lower-case digits."""
        return self._digest(of, number).hex()[:length]

    def offset(self, number: int) -> int:
        """A counter's value that grows with `number` (below 2**20), apart from those of other seeds."""
        return (self.seed << 20) + number

    def _digest(self, of: str, number: int) -> bytes:
        return hashlib.sha256(f"{self.seed}/{of}/{number}".encode()).digest()


HERE: Final = Origin()
"""What is meant where nothing is said: us-east-1, account 123456789012, 2026-01-01T00:00:00Z."""
