"""Every example does what its first lines say; the commands they show are run as they stand."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap import App
from eventmap.testing import MemoryDynamoDb, MemoryKinesis
from examples import account, cache_invalidator, clicks_per_minute, order_view
from tests.cli.command import REPOSITORY, eventmap
from tests.delivery.stream.scene import statistics

BEGINNING: dict[str, Any] = {"starting_position": "TRIM_HORIZON"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where examples keep their files."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def read_all(app: App, **running: Any) -> None:
    async with app.running(leases="memory", **running) as service:
        await service.until_caught_up()


def order(order_id: str, customer: str, total: str) -> dict[str, Any]:
    return {"id": {"S": order_id}, "customer": {"S": customer}, "total": {"N": total}}


@pytest.mark.virtual_time
async def test_order_view_answers_what_each_customer_spent(here: Path) -> None:
    """Changes and deletions are followed; the whole history applied again changes nothing."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("orders")
    for item in (order("1", "Ada", "10.50"), order("2", "Ada", "4"), order("3", "Bob", "7"), order("1", "Ada", "11")):
        dynamodb.put_item("orders", item)
    dynamodb.delete_item("orders", {"id": {"S": "3"}})
    app = App()
    app.dynamodb("orders", **BEGINNING)(order_view.handler)

    for _ in range(2):
        await read_all(app, dynamodb_api=dynamodb)

        assert {each: order_view.spent(each) for each in ("Ada", "Bob")} == {"Ada": Decimal("15"), "Bob": Decimal(0)}


def deposit(name: str, version: int, amount: int, kind: str = "deposited") -> bytes:
    return json.dumps({"account": name, "version": version, "type": kind, "amount": amount}).encode()


def balances() -> dict[str, tuple[int, int]]:
    with closing(sqlite3.connect(account.ACCOUNTS)) as file:
        return {name: (balance, version) for name, balance, version in file.execute("SELECT * FROM accounts")}


@pytest.mark.virtual_time
async def test_account_is_what_its_events_say_and_can_be_rebuilt(here: Path) -> None:
    """Each account's events in their order; the file thrown away and built anew is the same."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("accounts", 2)
    for version in range(1, 6):
        for name in ("ada", "bob", "eve"):
            kinesis.put_record("accounts", deposit(name, version, 10 * version), name)
    kinesis.put_record("accounts", deposit("bob", 6, 45, "withdrawn"), "bob")
    kinesis.put_record("accounts", deposit("eve", 5, 50), "eve")  # sent twice
    app = App()
    app.kinesis("accounts", **BEGINNING)(account.handler)

    await read_all(app, kinesis_api=kinesis)
    first = balances()
    (here / account.ACCOUNTS).unlink()
    await read_all(app, kinesis_api=kinesis)

    assert first == {"ada": (150, 5), "bob": (105, 6), "eve": (150, 5)}
    assert balances() == first


@pytest.mark.virtual_time
async def test_account_is_stopped_by_an_event_that_cannot_follow(here: Path) -> None:
    """A missing event holds its shard back until it is given up, and nothing behind it is applied out of order."""
    kinesis = MemoryKinesis()
    kinesis.create_stream("accounts")
    for version in (1, 3):
        kinesis.put_record("accounts", deposit("ada", version, 10), "ada")
    app = App()
    app.kinesis("accounts", **BEGINNING, maximum_retry_attempts=2)(account.handler)

    async with app.running(leases="memory", kinesis_api=kinesis) as service:
        await service.until_caught_up()
        counted = statistics(service)

    assert balances() == {"ada": (10, 1)}
    assert counted.discarded == 1


@pytest.mark.virtual_time
async def test_cache_invalidator_forgets_what_changed_and_nothing_else(here: Path) -> None:
    """Within a second, and only the item that was changed is loaded again."""
    dynamodb = MemoryDynamoDb()
    dynamodb.create_table("products", view_type="KEYS_ONLY")
    for name in ("apple", "bread"):
        dynamodb.put_item("products", {"id": {"S": name}, "price": {"N": "1"}})
    loaded: list[str] = []

    def load(name: str) -> str:
        loaded.append(name)
        return f"{name}, loaded {loaded.count(name)} times"

    async with cache_invalidator.fresh(dynamodb_api=dynamodb) as service:
        while not statistics(service).receives:
            await anyio.sleep(0.05)
        for name in ("apple", "bread"):
            cache_invalidator.product(name, load)
        dynamodb.put_item("products", {"id": {"S": "apple"}, "price": {"N": "2"}})
        dynamodb.put_item("products", {"id": {"S": "cheese"}, "price": {"N": "3"}})
        await anyio.sleep(1)
        shown = [cache_invalidator.product(name, load) for name in ("apple", "bread")]

    assert shown == ["apple, loaded 2 times", "bread, loaded 1 times"]
    assert statistics(service).filtered == 1  # the new item


@pytest.mark.virtual_time
async def test_clicks_per_minute_counts_each_minute(here: Path) -> None:
    """Two minutes of one shard, gathered from many batches."""
    clicks_per_minute.COUNTS.clear()
    kinesis = MemoryKinesis()
    kinesis.create_stream("clicks")

    async with clicks_per_minute.app.running(leases="memory", kinesis_api=kinesis):
        for number in range(90):
            kinesis.put_record("clicks", json.dumps({"page": f"/{number % 3}"}).encode(), str(number))
            await anyio.sleep(1)
        await anyio.sleep(60)

    shard = "shardId-000000000000"
    assert [
        {"minute": "2026-01-01T00:00:00Z", "shard": shard, "/0": 20, "/1": 20, "/2": 20},
        {"minute": "2026-01-01T00:01:00Z", "shard": shard, "/0": 10, "/1": 10, "/2": 10},
    ] == clicks_per_minute.COUNTS


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the examples, as in a clone."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    return tmp_path


@pytest.mark.server
def test_the_second_command_of_the_readme_keeps_the_view(clone: Path) -> None:
    """The line stands in the README and in the example; every change of the file is applied, the latest one counts."""
    line = (
        "eventmap run examples.order_view:handler --local --dynamodb orders --send examples/order_items.jsonl "
        "--until-caught-up"
    )
    assert line in (REPOSITORY / "README.md").read_text() and line in str(order_view.__doc__)

    ended = eventmap(line.removeprefix("eventmap "), cwd=clone)

    items = [json.loads(text) for text in (clone / "examples/order_items.jsonl").read_text().splitlines()]
    latest = {item["id"]: (item["customer"], str(item["total"])) for item in items}
    with closing(sqlite3.connect(clone / "order-view.sqlite")) as view:
        found = {row[0]: row[1:] for row in view.execute("SELECT id, customer, total FROM orders")}
    assert ended.code == 0, ended.stderr
    assert {each: (customer, Decimal(total)) for each, (customer, total) in found.items()} == {
        each: (customer, Decimal(total)) for each, (customer, total) in latest.items()
    }
    assert f"done                      {len(items):>2}" in ended.stdout
    assert "ReportBatchItemFailures is on" in ended.stderr


@pytest.mark.server
def test_the_commands_of_the_account_example_build_and_rebuild_its_file(
    clone: Path, start_server: Callable[[str], Any], queue_name: str
) -> None:
    """As its first lines show them, on a stream of their own; the replay moves no checkpoint."""
    server = start_server("ministack")
    client = server.client("kinesis")
    client.create_stream(StreamName=queue_name, ShardCount=1)
    for version in (1, 2, 3):
        client.put_record(StreamName=queue_name, Data=deposit("ada", version, 5), PartitionKey="ada")
    client.close()
    where = f"--endpoint-url {server.endpoint_url} --region us-east-1"
    env = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    run = f"run examples.account:handler --kinesis {queue_name} --starting-position TRIM_HORIZON --until-caught-up"

    ran = eventmap(f"{run} {where}", cwd=clone, env=env)
    (clone / "accounts.sqlite").unlink()
    replayed = eventmap(
        f"replay kinesis:{queue_name} examples.account:handler --from TRIM_HORIZON {where}", cwd=clone, env=env
    )
    again = eventmap(f"{run} {where}", cwd=clone, env=env)

    assert [ended.code for ended in (ran, replayed, again)] == [0, 0, 0], ran.stderr + replayed.stderr + again.stderr
    assert "ada: 15 after event 3" in ran.stdout and "ada: 15 after event 3" in replayed.stdout
    assert "done                       0" in again.stdout
    with closing(sqlite3.connect(clone / "accounts.sqlite")) as file:
        assert file.execute("SELECT * FROM accounts").fetchall() == [("ada", 15, 3)]
