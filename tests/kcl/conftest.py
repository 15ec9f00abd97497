"""The scene of the tests with the real KCL: kinesalite as Kinesis, moto as DynamoDB, as a user would name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.process import Server

from .scene import Scene
from .worker import require_kcl


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kcl: runs Amazon's Kinesis Client Library on a JVM; takes a minute")


@pytest.fixture
def new_scene(
    start_server: Callable[[str], Server], queue_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Scene]]:
    """`new_scene(shards)` makes the stream of an application nobody has worked for yet."""
    require_kcl()
    kinesis_server, dynamodb_server = start_server("kinesalite"), start_server("moto")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", kinesis_server.endpoint_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", kinesis_server.region)
    kinesis, dynamodb = kinesis_server.client("kinesis"), dynamodb_server.client("dynamodb")

    def new(shards: int) -> Scene:
        kinesis.create_stream(StreamName=queue_name, ShardCount=shards)
        kinesis.get_waiter("stream_exists").wait(StreamName=queue_name, WaiterConfig={"Delay": 1})
        return Scene(
            kinesis_server, dynamodb_server, kinesis, dynamodb, queue_name, shards, f"app-{queue_name}", tmp_path
        )

    yield new
    kinesis.close()
    dynamodb.close()
