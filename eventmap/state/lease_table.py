"""The table leases live in: made as the KCL makes it, or recognised (KCL-01, KCL-02)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import anyio

from eventmap.errors import ConfigurationError, SourceError, StateError, StateNotFound, TransientSourceError
from eventmap.state.lease_item import KEY, OWNER

READY_WITHIN_S: Final = 60.0
"""How long a table may take to be usable, seconds; AWS makes one in about ten."""

_FIRST_LOOK_S: Final = 0.1  # emulators are done by then
_LAST_LOOK_S: Final = 2.0
_USABLE: Final = frozenset({"ACTIVE", "UPDATING"})


class DynamoDbApi(Protocol):
    """DynamoDB, in the shapes of the JSON wire: binary values are base64 text."""

    async def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One attempt of any operation.

        Raises: SourceError with AWS' `code`; TransientSourceError when throttled or lost; AccessRefused.
        """
        ...


async def make_ready(api: DynamoDbApi, table: str, *, create: bool = True) -> None:
    """Make sure `table` is a lease table that can be used; several workers may do so at once.

    `create` False = make none. Raises: StateNotFound if there is none then; ConfigurationError if it is another kind of
    table; StateError if it is not usable within 60 s; AccessRefused and SourceError as the call said.
    """
    seen, wait_s = "not answering", _FIRST_LOOK_S
    with anyio.move_on_after(READY_WITHIN_S):
        while True:
            try:
                description = await _described(api, table)
                if description is None:
                    if not create:
                        raise StateNotFound(f'lease table "{table}"', "--leases dynamodb:TABLE")
                    seen = "missing"
                    await _create(api, table)
                else:
                    _check_is_lease_table(table, description)
                    seen = str(description.get("TableStatus"))
                    if seen in _USABLE:
                        return
            except TransientSourceError as error:
                seen = f"not answering ({error})"
            # Whoever asks again at once for a table just made may hear that there is none.
            await anyio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LAST_LOOK_S)
    raise StateError(
        f'lease table "{table}" is still {seen} after {READY_WITHIN_S:.0f} s: look at it in DynamoDB, then start again'
    )


async def _described(api: DynamoDbApi, table: str) -> dict[str, Any] | None:
    """None if there is no such table."""
    try:
        answer = await api.call("DescribeTable", {"TableName": table})
    except SourceError as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    description: dict[str, Any] = answer.get("Table") or {}
    return description


async def _create(api: DynamoDbApi, table: str) -> None:
    text_attributes = [{"AttributeName": name, "AttributeType": "S"} for name in (KEY, OWNER)]
    index = {
        "IndexName": "LeaseOwnerToLeaseKeyIndex",
        "KeySchema": [{"AttributeName": OWNER, "KeyType": "HASH"}, {"AttributeName": KEY, "KeyType": "RANGE"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    try:
        await api.call(
            "CreateTable",
            {
                "TableName": table,
                "AttributeDefinitions": text_attributes,
                "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
                "GlobalSecondaryIndexes": [index],
                "BillingMode": "PAY_PER_REQUEST",
            },
        )
    except SourceError as error:
        if error.code != "ResourceInUseException":  # another worker was faster
            raise


def _check_is_lease_table(table: str, description: Mapping[str, Any]) -> None:
    """Raises: ConfigurationError."""
    types = {
        given.get("AttributeName"): given.get("AttributeType") for given in description.get("AttributeDefinitions", ())
    }
    key = [(part.get("KeyType"), part.get("AttributeName")) for part in description.get("KeySchema", ())]
    if key != [("HASH", KEY)] or types.get(KEY) != "S":
        said = ", ".join(f"{name} {types.get(name)}" for _, name in key)
        raise ConfigurationError(
            f'table "{table}" is not a lease table: its key is ({said}), not ({KEY} S); '
            "name another one, which is made if it does not exist, or the lease table of a KCL application"
        )
