"""Entries in a DynamoDB table: what the servers hold, what goes wrong, and what the network loses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from eventmap.errors import AccessRefused, ConfigurationError, ResultNotStorable, StateError, TransientSourceError
from eventmap.idempotency import DynamoDbStore, idempotent
from eventmap.idempotency.dynamodb import ITEM_LIMIT_BYTES
from eventmap.idempotency.dynamodb_item import from_item, size_bytes, to_item
from eventmap.rules.idempotency import CLAIM_KEPT_S, Claimed, Done

NOW = 1_785_261_234.5
KEY = "orders.handler#" + "0" * 64
MINE = Claimed("mine", NOW + 10)

server = pytest.mark.server


def silent(**options: Any) -> Any:
    """A client of a server that is not there."""
    config = Config(**{"retries": {"total_max_attempts": 1}} | options)
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client("dynamodb", endpoint_url="http://127.0.0.1:9", region_name="us-east-1", config=config, **keys)


class LosesAnswers:
    """Lets requests of a client through and, `times` times, loses what was answered."""

    def __init__(self, client: Any, times: int) -> None:
        self.left = times
        self.requests = 0
        self._session = client._endpoint.http_session
        client._endpoint.http_session = self

    def send(self, request: Any) -> AWSResponse:
        self.requests += 1
        answer: AWSResponse = self._session.send(request)
        if self.left:
            self.left -= 1
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer

    def close(self) -> None:
        self._session.close()


@server
def test_the_table_is_made_once_with_a_time_to_live(dynamodb: Any, table_name: str) -> None:
    """By several at once; one that is there is used as it is."""
    stores = [DynamoDbStore(table_name, client=dynamodb, create=True) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(lambda store: store.claim(KEY, MINE, NOW), stores))

    assert found == {MINE}
    ttl = dynamodb.describe_time_to_live(TableName=table_name)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expiration")
    assert DynamoDbStore(table_name, client=dynamodb, create=True).claim(KEY, MINE, NOW) == MINE


@server
def test_dynamodb_may_delete_what_nobody_needs(dynamodb: Any, table_name: str) -> None:
    """A result when it expires, a claim an hour later; nobody relies on it."""
    store = DynamoDbStore(table_name, client=dynamodb, create=True)

    store.claim(KEY, MINE, NOW)
    claim = dynamodb.get_item(TableName=table_name, Key={"id": {"S": KEY}})["Item"]
    store.commit(KEY, Done("mine", NOW + 60, "1"))
    done = dynamodb.get_item(TableName=table_name, Key={"id": {"S": KEY}})["Item"]

    assert claim["expiration"] == {"N": str(int(NOW + 10 + CLAIM_KEPT_S + 0.5))}
    assert done["expiration"] == {"N": str(int(NOW + 60 + 0.5))}


@server
def test_a_lost_answer_is_asked_for_again_and_finds_itself(dynamodb: Any, table_name: str) -> None:
    """The client repeats the write, whose condition fails because it held before: that is no other's claim."""
    DynamoDbStore(table_name, client=dynamodb, create=True).claim("other", MINE, NOW)
    endpoint = dynamodb.meta.endpoint_url
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    retrying = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
        **keys,
    )
    store = DynamoDbStore(table_name, client=retrying)
    done = Done("mine", NOW + 60, "1")
    network = LosesAnswers(retrying, 1)

    assert store.claim(KEY, MINE, NOW) == MINE
    assert network.requests >= 2
    network.left = 1
    assert store.commit(KEY, done)
    network.left = 1
    store.release(KEY, "mine")

    assert store.claim(KEY, Claimed("theirs", NOW + 10), NOW) == done
    assert network.left == 0
    retrying.close()


@server
def test_an_answer_that_stays_lost_is_reported(dynamodb: Any, table_name: str) -> None:
    """It may be tried again, and may have happened."""
    store = DynamoDbStore(table_name, client=dynamodb, create=True)
    store.claim("other", MINE, NOW)
    network = LosesAnswers(dynamodb, 1)

    with pytest.raises(TransientSourceError, match=f'table "{table_name}" did not answer'):
        store.claim(KEY, MINE, NOW)

    assert store.claim(KEY, MINE, NOW) == MINE
    assert network.left == 0


@server
def test_a_missing_table_is_named(dynamodb: Any, table_name: str) -> None:
    """With what it must be like."""
    with pytest.raises(StateError, match=f'table "{table_name}" does not exist: make it, with the key `id`'):
        DynamoDbStore(table_name, client=dynamodb).claim(KEY, MINE, NOW)


@server
def test_a_table_of_another_kind_is_refused(dynamodb: Any, table_name: str) -> None:
    """Whether it was to be made or not."""
    dynamodb.create_table(
        TableName=table_name,
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(ConfigurationError, match=r"its key is \(leaseKey S\), not \(id S\)"):
        DynamoDbStore(table_name, client=dynamodb, create=True).claim(KEY, MINE, NOW)
    with pytest.raises(StateError, match="its key must be `id`"):
        DynamoDbStore(table_name, client=dynamodb).claim(KEY, MINE, NOW)


@server
def test_an_item_of_another_kind_is_left_alone(dynamodb: Any, table_name: str) -> None:
    """Powertools' share the key's name."""
    store = DynamoDbStore(table_name, client=dynamodb, create=True)
    store.claim("other", MINE, NOW)
    theirs = {"id": {"S": KEY}, "status": {"S": "COMPLETED"}, "data": {"S": "{}"}, "expiration": {"N": "1"}}
    dynamodb.put_item(TableName=table_name, Item=theirs)

    with pytest.raises(StateError, match=r"is no entry of eventmap's .it has no readable 'token'"):
        store.claim(KEY, MINE, NOW)

    assert dynamodb.get_item(TableName=table_name, Key={"id": {"S": KEY}})["Item"] == theirs


@server
def test_a_result_beyond_an_items_limit_is_refused_in_words(dynamodb: Any, table_name: str) -> None:
    """The key is given back; a result that fits is kept."""
    store = DynamoDbStore(table_name, client=dynamodb, create=True)
    sizes = [400_000, ITEM_LIMIT_BYTES]  # moto stops at 405,000

    @idempotent(store, key="size", scope="orders")
    def handler(event: Any, context: Any) -> str:
        return "x" * int(event["size"])

    assert len(handler({"size": sizes[0]}, None)) == sizes[0]
    for _ in range(2):
        with pytest.raises(ResultNotStorable, match=f"DynamoDB's limit is {ITEM_LIMIT_BYTES}: return less, or put it"):
            handler({"size": sizes[1]}, None)


def test_a_table_that_cannot_be_reached_is_reported() -> None:
    """And may be asked again."""
    client = silent(connect_timeout=1)

    with pytest.raises(TransientSourceError, match='table "orders" did not answer'):
        DynamoDbStore("orders", client=client).claim(KEY, MINE, NOW)

    client.close()


@pytest.mark.parametrize(
    ("code", "status", "raised"),
    [
        ("ThrottlingException", 400, TransientSourceError),
        ("ProvisionedThroughputExceededException", 400, TransientSourceError),
        ("Whatever", 503, TransientSourceError),
        ("AccessDeniedException", 400, AccessRefused),
        ("UnrecognizedClientException", 400, AccessRefused),
        ("ValidationException", 400, StateError),
    ],
)
def test_what_dynamodb_refuses_is_told_apart(code: str, status: int, raised: type[Exception]) -> None:
    """What passes by itself, what credentials mend, and what somebody must look at."""
    client = silent()
    client.meta.events.register(
        "before-send.dynamodb.*",
        lambda request, **_: AWSResponse(request.url, status, {}, _Raw(f'{{"__type":"x#{code}","message":"said"}}')),
    )

    with pytest.raises(raised, match="said"):
        DynamoDbStore("orders", client=client).claim(KEY, MINE, NOW)

    client.close()


class _Raw:
    """A body as the client library reads it."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def stream(self) -> list[bytes]:
        return [self._text]


def test_without_a_region_or_keys_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is made with the first call, from the environment."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ConfigurationError, match="no AWS region known for DynamoDbStore"):
        DynamoDbStore("orders").claim(KEY, MINE, NOW)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(AccessRefused, match="credentials cannot be used"):
        DynamoDbStore("orders").claim(KEY, MINE, NOW)


@server
def test_the_environment_says_where_the_table_is(
    dynamodb: Any, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for every other client of AWS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", dynamodb.meta.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")

    assert DynamoDbStore(table_name, create=True).claim(KEY, MINE, NOW) == MINE


@pytest.mark.parametrize(
    "entry", [MINE, Claimed("mine", NOW, "checksum"), Done("mine", NOW, "null"), Done("mine", NOW, '"é"', "checksum")]
)
def test_an_entry_is_an_item_and_back(entry: Claimed | Done) -> None:
    """Its size is counted in bytes."""
    item = to_item(KEY, entry)

    assert from_item(item) == entry
    assert size_bytes(item) == sum(len(n.encode()) + len(next(iter(v.values())).encode()) for n, v in item.items())
