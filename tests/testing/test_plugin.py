from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUITE = '''
import anyio, asyncio, pytest
from hypothesis import given, strategies
from eventmap.clock import wall_time_s

@pytest.fixture
async def worker():
    """Holds a task group open across its yield, and leaves it in the task it was entered in."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 3600)
        yield asyncio.get_running_loop()
        group.cancel_scope.cancel()

@pytest.fixture
async def number():
    await anyio.sleep(10)
    return 7

@pytest.mark.virtual_time
async def test_marked():
    await anyio.sleep(86400)
    assert asyncio.get_running_loop().time() == 86400.0

async def test_by_fixture(virtual_time):
    assert asyncio.get_running_loop() is virtual_time

async def test_fixtures_share_the_loop(virtual_time, worker, number):
    assert (worker, number, virtual_time.time()) == (virtual_time, 7, 10.0)

@pytest.mark.virtual_time
@pytest.mark.parametrize("hours", [1, 2])
async def test_parametrized(hours, memory_sqs):
    memory_sqs.add_queue("q")
    await anyio.sleep(hours * 3600)

@pytest.mark.virtual_time
class TestMethods:
    @pytest.fixture
    async def mine(self):
        self.seen = "fixture"
        yield self
    async def test_method(self, mine):
        await anyio.sleep(5)
        assert mine is self and self.seen == "fixture"

@pytest.mark.virtual_time
@given(strategies.integers(1, 1000))
async def test_property(hours):
    await anyio.sleep(hours * 3600)
    assert asyncio.get_running_loop().time() == hours * 3600

@pytest.mark.virtual_time
def test_synchronous(memory_sqs):
    memory_sqs.add_queue("q")

@pytest.mark.virtual_time
async def test_skips():
    pytest.skip("as asked")

@pytest.mark.virtual_time
@pytest.mark.xfail(raises=AssertionError, strict=True)
async def test_fails(worker):
    assert False

@pytest.mark.virtual_time
@pytest.mark.xfail(strict=True)
async def test_deadlocks(worker):
    worker.call_soon(lambda: None)
    with anyio.CancelScope(shield=True):
        await anyio.sleep(7200)
    await anyio.Event().wait()
'''

REAL = """
import asyncio
from eventmap.testing import VirtualTimeLoop

async def test_unmarked_stays_on_real_time(memory_sqs):
    assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
"""


def run_pytest(path: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "--strict-markers", "-q"]
    # Outside the checkout nothing is configured: this is a user's project. Named when nothing is installed to name it.
    command += [*options, "--rootdir", str(path.parent), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    finished = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return finished.stdout + finished.stderr


PYTEST_ASYNCIO = ["-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"]
MODES = {
    "alone": [],
    "beside_pytest_asyncio_auto": [*PYTEST_ASYNCIO, "-o", "asyncio_mode=auto"],
    "beside_pytest_asyncio_strict": [*PYTEST_ASYNCIO, "-o", "asyncio_mode=strict"],
    "beside_anyio": ["-p", "anyio.pytest_plugin"],
}
PLUGIN = ["-p", "eventmap.testing.plugin"]


@pytest.mark.parametrize("mode", MODES)
def test_the_plugin_runs_marked_tests_and_their_fixtures_on_one_virtual_loop(mode: str, tmp_path: Path) -> None:
    """Marker, fixture, class, parameters, property tests, skips and failures work with every neighbour."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE)

    output = run_pytest(suite, *PLUGIN, *MODES[mode])

    assert "8 passed, 1 skipped, 2 xfailed" in output, output


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    """Every Python block of docs/testing.md is a test file that passes, in a project without any configuration."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks):
        (tmp_path / f"test_block_{number}.py").write_text(block)

    output = run_pytest(tmp_path, *PLUGIN)

    assert f"{len(blocks)} passed" in output, output


def test_the_plugin_leaves_unmarked_tests_to_pytest_asyncio(tmp_path: Path) -> None:
    """A test that did not ask keeps real time, even with the in-memory queue."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(REAL)

    output = run_pytest(suite, *PLUGIN, *MODES["beside_pytest_asyncio_auto"])

    assert "1 passed" in output, output


def test_the_plugin_says_where_a_deadlocked_test_waits(tmp_path: Path) -> None:
    """A test that waits for nothing fails at once, with the line it waits at."""
    suite = tmp_path / "test_suite.py"
    suite.write_text(
        "import anyio\n\nasync def test_hangs(virtual_time):\n    event = anyio.Event()\n    await event.wait()\n"
    )

    output = run_pytest(suite, *PLUGIN)

    assert "nothing left to wait for: deadlock" in output, output
    assert "test_suite.py:5 in test_hangs" in output, output


def test_the_plugin_imports_nothing_heavy() -> None:
    """Every test run of every project that has eventmap installed pays for this import."""
    probe = (
        "import sys, eventmap.testing.plugin; "
        "print(sorted({'anyio', 'asyncio', 'aiohttp', 'orjson', 'botocore', 'hypothesis'} & set(sys.modules)))"
    )

    finished = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "[]"
