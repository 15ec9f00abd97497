"""The public surface: few names, loaded when they are used, typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eventmap
from eventmap import testing


def test_the_public_names_are_few_and_there() -> None:
    """At most 25; each leads somewhere."""
    assert len(eventmap.__all__) <= 25
    assert all(getattr(eventmap, name) is not None for name in eventmap.__all__)
    assert all(getattr(testing, name) is not None for name in testing.__all__)


@pytest.mark.parametrize("package", [eventmap, testing], ids=lambda package: package.__name__)
def test_a_name_that_is_not_there_says_so(package: object) -> None:
    """As any module does."""
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        _ = package.Nope  # type: ignore[attr-defined]


def test_importing_eventmap_imports_nothing_heavy() -> None:
    """Start-up matters: a command pays only for what it needs."""
    heavy = ("aiohttp", "aioboto3", "botocore", "anyio", "orjson", "structlog", "tenacity", "typer")
    code = f"import sys, eventmap; print([name for name in {heavy!r} if name in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_eventmap_is_typed() -> None:
    """`py.typed` is part of the package."""
    assert (Path(eventmap.__file__).parent / "py.typed").exists()


def test_polling_imports_nothing_that_only_pushes_need() -> None:
    """A worker of queues and streams starts without the server, the receivers and what they stand on."""
    program = (
        "import sys, eventmap.service; "
        "print(sorted(name for name in sys.modules if name.startswith(('eventmap.server', 'eventmap.receivers', "
        "'eventmap.delivery.asynchronous', 'eventmap.idempotency', 'starlette', 'uvicorn', 'cryptography'))))"
    )

    imported = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert imported.stdout.strip() == "[]"
