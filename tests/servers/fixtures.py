"""Fixtures for tests against servers nobody of us wrote; loaded by tests/conftest.py.

A server is started by the first test that asks for it and shared by the whole run: isolate by queue name.
A server that is not installed skips its tests on a laptop and fails them in CI.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .process import Server, ServerDidNotStart, running
from .recipes import RECIPES, SQS_SERVERS, Recipe


@pytest.fixture(scope="session")
def start_server() -> Iterator[Callable[[str], Server]]:
    """`start_server("moto")` is the running server of that name; for tests that need one particular server."""
    started: dict[str, Server] = {}
    broken: dict[str, str] = {}

    with ExitStack() as stack:

        def start(name: str) -> Server:
            if name in broken:  # starting it again for every test would take a deadline each
                pytest.fail(broken[name])
            if name not in started:
                require_installed(RECIPES[name])
                try:
                    started[name] = stack.enter_context(running(RECIPES[name]))
                except ServerDidNotStart as error:
                    broken[name] = str(error)
                    pytest.fail(broken[name])
            return started[name]

        yield start


def require_installed(recipe: Recipe) -> None:
    """Skips on a laptop what is not installed, and fails it in CI."""
    if (missing := recipe.missing()) is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{recipe.name}: {missing}")
    pytest.skip(f"{recipe.name}: {missing}")


@pytest.fixture(scope="session", params=[pytest.param(name, marks=pytest.mark.server) for name in SQS_SERVERS])
def sqs_server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """Each of the four SQS servers in turn."""
    return start_server(request.param)


@pytest.fixture(scope="session")
def sqs_judge(sqs_server: Server) -> Iterator[Any]:
    """A plain boto3 client of `sqs_server`, without retries: what it sees is what the server says."""
    client = sqs_server.client("sqs")
    yield client
    client.close()


@pytest.fixture
def queue_name() -> str:
    """A name no other test uses; append ".fifo" for a FIFO queue."""
    return f"q-{uuid.uuid4().hex[:12]}"
