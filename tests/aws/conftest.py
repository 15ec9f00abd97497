"""Servers that speak for Kinesis, DynamoDB, SNS and S3."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers.process import Server


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server) for name in ("moto", "ministack")])
def aws_server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """Both servers in turn; isolate by name."""
    return start_server(request.param)


@pytest.fixture
def name(queue_name: str) -> str:
    """A name no other test uses, for a stream, a table, a topic or a bucket."""
    return queue_name


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.server) for name in ("moto", "ministack", "fauxqs")])
def topic_server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """Each server whose topics feed queues."""
    return start_server(request.param)
