"""The table entries live in, made where there is none."""

from __future__ import annotations

from typing import Any, Final

from eventmap.errors import ConfigurationError, StateError
from eventmap.idempotency.dynamodb_item import EXPIRATION, KEY

READY_WITHIN_S: Final = 60
"""How long a table may take to be usable, seconds; AWS makes one in about ten."""


def make_ready(client: Any, table: str) -> None:
    """Make the table if it does not exist, and wait until it can be used; several may do so at once.

    Raises: ConfigurationError if it is another kind of table; StateError if it is not usable within 60 s; and the
    client library's own.
    """
    from botocore.exceptions import ClientError, WaiterError

    try:
        _check_key(table, client.describe_table(TableName=table)["Table"])
        is_ours = False
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        is_ours = _create(client, table)
    try:
        client.get_waiter("table_exists").wait(
            TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": READY_WITHIN_S}
        )
    except WaiterError as error:
        raise StateError(
            f'table "{table}" is not usable after {READY_WITHIN_S} s: look at it in DynamoDB, then start again'
        ) from error
    if is_ours:
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRATION}
        )


def _create(client: Any, table: str) -> bool:
    """False if another was faster."""
    try:
        client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
    except client.exceptions.ResourceInUseException:
        return False
    return True


def _check_key(table: str, description: dict[str, Any]) -> None:
    """Raises: ConfigurationError."""
    types = {given["AttributeName"]: given["AttributeType"] for given in description.get("AttributeDefinitions", ())}
    key = [(part["AttributeName"], part["KeyType"]) for part in description.get("KeySchema", ())]
    if key != [(KEY, "HASH")] or types.get(KEY) != "S":
        said = ", ".join(f"{name} {types.get(name)}" for name, _ in key)
        raise ConfigurationError(
            f'table "{table}" is not a table for idempotency: its key is ({said}), not ({KEY} S); '
            "name another one, which is made if it does not exist"
        )
