"""The stores every test of the contract runs on, and tables on a server."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventmap.idempotency import DynamoDbStore, MemoryStore, SqliteStore, Store
from tests.servers.process import Server

SERVERS = [pytest.param(name, marks=pytest.mark.server) for name in ("moto", "ministack")]


@pytest.fixture
def table_name() -> str:
    """A name no other test uses."""
    return f"idempotency-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=SERVERS)
def dynamodb(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A boto3 client on each of the servers that have DynamoDB."""
    start_server: Callable[[str], Server] = request.getfixturevalue("start_server")
    client = start_server(request.param).client("dynamodb")
    yield client
    client.close()


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
def stores(request: pytest.FixtureRequest, tmp_path: Path, table_name: str) -> Iterator[tuple[Store, Store]]:
    """The ways of two workers to the same entries, of every kind in turn."""
    match request.param:
        case "memory":
            memory = MemoryStore()
            yield memory, memory
        case "sqlite":
            files = [SqliteStore(tmp_path / "idempotency.sqlite") for _ in range(2)]
            yield files[0], files[1]
            for file in files:
                file.close()
        case server:
            start_server: Callable[[str], Server] = request.getfixturevalue("start_server")
            client = start_server(server).client("dynamodb")
            yield DynamoDbStore(table_name, client=client, create=True), DynamoDbStore(table_name, client=client)
            client.close()
