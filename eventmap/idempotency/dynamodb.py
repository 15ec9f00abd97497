"""Entries in a DynamoDB table: the workers of many machines, and real Lambda functions, share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from eventmap.errors import (
    AccessRefused,
    ConfigurationError,
    EventmapError,
    ResultNotStorable,
    StateError,
    TransientSourceError,
)
from eventmap.idempotency.dynamodb_item import (
    KEY,
    RESULT,
    TOKEN,
    UNTIL,
    Item,
    from_item,
    size_bytes,
    to_item,
)
from eventmap.idempotency.dynamodb_table import make_ready
from eventmap.rules.idempotency import Claimed, Done, Entry, is_committed

ITEM_LIMIT_BYTES: Final = 400 * 1024

_LOOKS: Final = 5  # an entry may go away between a write that met it and the look at it
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_ABSENT_OR_OVER: Final = "attribute_not_exists(#id) OR #until <= :now"
_OUR_CLAIM: Final = "#token = :token AND attribute_not_exists(#result)"
_NOT_ALLOWED: Final = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)
_TRANSIENT: Final = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)


class DynamoDbStore:
    """A Store in `table`: its key is `id` (text), its time to live `expiration`, as Powertools' tables have them.

    `client`: a boto3 client of DynamoDB; None = one is made with the first call, from the environment and AWS' config
    files. `create` = make the table if it does not exist, billed per request; two that do so at once may.

    Every change is one conditional write. One whose answer was lost is repeated by the client, and finds its own token.
    Needs dynamodb:PutItem, GetItem and DeleteItem; and DescribeTable, CreateTable, UpdateTimeToLive to create.
    Raises: StateError, AccessRefused; ConfigurationError without a region; TransientSourceError.
    """

    def __init__(self, table: str, *, client: Any = None, create: bool = False) -> None:
        self.table = table
        self._given = client
        self._create = create
        self._lock = threading.Lock()
        self._ready: Any = None

    def claim(self, key: str, claim: Claimed, now: float) -> Entry:
        # Its own token is no condition: a copy of the request that comes late must not undo what followed.
        condition = {
            "ConditionExpression": _ABSENT_OR_OVER,
            "ExpressionAttributeNames": {"#id": KEY, "#until": UNTIL},
            "ExpressionAttributeValues": {":now": {"N": repr(now)}},
        }
        for _ in range(_LOOKS):
            won, standing = self._write_if("put_item", key, Item=to_item(key, claim), **condition)
            if won:
                return claim
            if standing is not None:
                return standing
        raise TransientSourceError(f'the entry of idempotency key {key} in table "{self.table}" changes all the time')

    def commit(self, key: str, done: Done) -> bool:
        item = to_item(key, done)
        if (size := size_bytes(item)) > ITEM_LIMIT_BYTES:
            raise ResultNotStorable(
                f"the result under idempotency key {key} needs an item of {size} bytes, DynamoDB's limit is "
                f"{ITEM_LIMIT_BYTES}: return less, or put it into S3 and return where it is"
            )
        committed, standing = self._write_if("put_item", key, Item=item, **_if_claimed_by(done.token))
        return committed or is_committed(standing, done)

    def release(self, key: str, token: str) -> None:
        self._write_if("delete_item", key, Key={KEY: {"S": key}}, **_if_claimed_by(token))

    def _write_if(self, operation: str, key: str, **parameters: Any) -> tuple[bool, Entry | None]:
        """Whether the condition held and, if not, what stands in the way."""
        from botocore.exceptions import ClientError

        client = self._client()
        with self._reported():
            try:
                getattr(client, operation)(
                    TableName=self.table, ReturnValuesOnConditionCheckFailure="ALL_OLD", **parameters
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != _CONDITION_FAILED:
                    raise
                item: Item | None = error.response.get("Item")
                if not item:  # a server that does not say
                    read = client.get_item(TableName=self.table, Key={KEY: {"S": key}}, ConsistentRead=True)
                    item = read.get("Item")
                return False, None if not item else self._entry(item)
        return True, None

    def _entry(self, item: Item) -> Entry:
        try:
            return from_item(item)
        except ValueError as error:
            raise StateError(
                f'table "{self.table}" holds the item {item.get(KEY)!r}, which is no entry of eventmap\'s ({error}): '
                "remove it, or name another table"
            ) from error

    def _client(self) -> Any:
        with self._lock:
            if self._ready is None:
                with self._reported():
                    client = _made() if self._given is None else self._given
                    if self._create:
                        make_ready(client, self.table)
                self._ready = client
            return self._ready

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Let the client library's exceptions out as ours."""
        from botocore import exceptions

        try:
            yield
        except exceptions.ClientError as error:
            raise self._refusal(error.response) from error
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise TransientSourceError(f'table "{self.table}" did not answer: {error}') from error
        except exceptions.NoRegionError as error:
            raise ConfigurationError(
                "no AWS region known for DynamoDbStore: set AWS_REGION or AWS_DEFAULT_REGION, or give it a client"
            ) from error
        except (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError) as error:
            raise AccessRefused(f"AWS credentials cannot be used: {error}", code=type(error).__name__) from error
        except exceptions.BotoCoreError as error:
            raise StateError(f'table "{self.table}" cannot be asked: {error}') from error

    def _refusal(self, answer: dict[str, Any]) -> EventmapError:
        code, message = str(answer["Error"].get("Code", "")), str(answer["Error"].get("Message", ""))
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _NOT_ALLOWED:
            return AccessRefused(
                f'table "{self.table}" refused: {message}; check the credentials, and allow dynamodb:PutItem, '
                "dynamodb:GetItem and dynamodb:DeleteItem on it",
                code=code,
            )
        if code in _TRANSIENT or status >= 500:
            return TransientSourceError(f'table "{self.table}" refused for now with {code}: {message}', code=code)
        if code == "ResourceNotFoundException":
            return StateError(
                f'table "{self.table}" does not exist: make it, with the key `id` (S) and `expiration` as its time to '
                "live, or let DynamoDbStore do so with create=True"
            )
        return StateError(f'table "{self.table}" cannot be used, its key must be `id` (S): {code}: {message}')


def _if_claimed_by(token: str) -> dict[str, Any]:
    return {
        "ConditionExpression": _OUR_CLAIM,
        "ExpressionAttributeNames": {"#token": TOKEN, "#result": RESULT},
        "ExpressionAttributeValues": {":token": {"S": token}},
    }


def _made() -> Any:
    """A client that gives up before a short invocation does. Imported late: it costs more than a whole start."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=4,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=50,
    )
    # A session of its own: the default one may be making another client in another thread.
    return boto3.session.Session().client("dynamodb", config=config)
