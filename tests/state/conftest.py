"""The stores every test of the contract runs on, a lease table on a server, and a place without the rights of root."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventmap.aws.dynamodb import DynamoDbWire
from eventmap.aws.session import FixedCredentials
from eventmap.aws.signing import Credentials
from eventmap.delivery.stream.ports import LeaseStore
from eventmap.state.dynamodb import DynamoDbLeases
from eventmap.state.sqlite import SqliteLeases
from eventmap.testing.memory_leases import MemoryLeaseTable
from tests.servers.process import Server

NOBODY = 65534
SERVERS = [pytest.param(name, marks=pytest.mark.server) for name in ("moto", "ministack")]


def wire_to(server: Server) -> DynamoDbWire:
    """A wire, not yet open, to the tables of `server`."""
    credentials = FixedCredentials(Credentials("test", "test"))
    return DynamoDbWire(server.endpoint_url, region=server.region, credentials=credentials)


@pytest.fixture
def table_name() -> str:
    """A name no other test uses."""
    return f"leases-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=SERVERS)
async def dynamodb(request: pytest.FixtureRequest) -> AsyncIterator[DynamoDbWire]:
    """DynamoDB on each of the servers that have it."""
    start_server: Callable[[str], Server] = request.getfixturevalue("start_server")
    async with wire_to(start_server(request.param)) as wire:
        yield wire


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
async def stores(
    request: pytest.FixtureRequest, tmp_path: Path, table_name: str
) -> AsyncIterator[tuple[LeaseStore, LeaseStore]]:
    """The ways of two workers to the leases of one application, of every kind in turn."""
    match request.param:
        case "memory":
            table = MemoryLeaseTable()
            yield table.store_for("a"), table.store_for("b")
        case "sqlite":
            files = [SqliteLeases(tmp_path / "state.sqlite", "orders") for _ in range(2)]
            for file in files:
                await file.prepare()
            yield files[0], files[1]
            for file in files:
                await file.aclose()
        case server:
            start_server: Callable[[str], Server] = request.getfixturevalue("start_server")
            async with wire_to(start_server(server)) as wire:
                tables = [DynamoDbLeases(wire, table_name) for _ in range(2)]
                for table_ in tables:
                    await table_.prepare()
                yield tables[0], tables[1]


@contextmanager
def unprivileged() -> Iterator[None]:
    """Without the rights of root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder anybody can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
