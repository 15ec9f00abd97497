"""What the scenarios of streams share: the places, and the judge of how each ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import Server

from .stream_deviations import STREAM_DEVIATIONS
from .stream_places import StreamPlace, opened

_MEMORY = pytest.param("memory", marks=pytest.mark.virtual_time)


def _servers(*names: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.server) for name in names]


@pytest.fixture(params=[_MEMORY, *_servers("moto", "ministack", "kinesalite")])
def kinesis_place(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Iterator[StreamPlace]:
    """Each Kinesis in turn."""
    with opened(request.param, start_server) as place:
        yield place


@pytest.fixture(params=[_MEMORY, *_servers("moto", "ministack")])
def table_place(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Iterator[StreamPlace]:
    """Each DynamoDB in turn."""
    with opened(request.param, start_server) as place:
        yield place


@pytest.fixture(params=_servers("moto", "ministack"))
def whole_place(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Iterator[StreamPlace]:
    """Each server that has SQS, SNS, S3 and tables for leases beside its streams."""
    with opened(request.param, start_server) as place:
        yield place


@pytest.fixture
def stream_judge(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`stream_judge(place, aws=…, observed=…)` holds a scenario to AWS' ending, or to the place's named deviation."""
    case = request.function.__name__.removeprefix("test_")

    def compare(place: StreamPlace, *, aws: object, observed: object) -> None:
        deviation = STREAM_DEVIATIONS.get((place.name, case))
        if deviation is None:
            assert observed == aws, f"on {place.name} this ends otherwise: name it in stream_deviations.py"
        else:
            assert observed == deviation.observed, f"no longer true of {place.name}: {deviation.reason}"

    return compare


@pytest.fixture
def fresh() -> str:
    """A name no other test uses, for a stream or a table."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def state(tmp_path: Path) -> dict[str, Any]:
    """Arguments of `App.running`: leases in a file that outlives a run."""
    return {"leases": "sqlite", "state": tmp_path / "state.sqlite"}
