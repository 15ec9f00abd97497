from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from eventmap.errors import LocalEmulatorError
from eventmap.local.emulator import embedded_emulator
from eventmap.local.seeding import create_queues, send_lines
from tests.aws.hostile import wire_to

pytestmark = pytest.mark.server

DEADLINE_S = 20.0
OWNER = """
import anyio
from eventmap.local.emulator import embedded_emulator

async def main():
    async with embedded_emulator() as endpoint_url:
        print(endpoint_url, flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


async def is_listening(endpoint_url: str) -> bool:
    address = urlsplit(endpoint_url)
    assert address.hostname and address.port
    try:
        async with await anyio.connect_tcp(address.hostname, address.port):
            return True
    except OSError:
        return False


async def wait_until_gone(endpoint_url: str) -> None:
    with anyio.fail_after(DEADLINE_S):
        while await is_listening(endpoint_url):
            await anyio.lowlevel.checkpoint()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the emulator and prints its address; its temporary files go to `tmp_path`."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=root, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


async def test_the_emulator_serves_queues_on_loopback_and_ends_with_its_block() -> None:
    """What is sent is received, and afterwards nobody listens."""
    with anyio.fail_after(DEADLINE_S):
        async with embedded_emulator() as endpoint_url, wire_to(endpoint_url) as wire:
            queue = await create_queues(wire, "orders", visibility_timeout=30)
            await send_lines(wire, queue.url, ['"hello"'])
            [message] = await wire.receive_message(queue.url, max_number_of_messages=10, wait_time_seconds=5)

    assert message["Body"] == "hello"
    assert endpoint_url.startswith("http://127.0.0.1:")
    assert queue.url.startswith(endpoint_url)
    assert not await is_listening(endpoint_url)


async def test_two_emulators_know_nothing_of_each_other() -> None:
    """Each has a port and queues of its own."""
    async with embedded_emulator() as first, embedded_emulator() as second:
        async with wire_to(first) as wire:
            await create_queues(wire, "orders", visibility_timeout=30)
        async with wire_to(second) as wire:
            queue = await create_queues(wire, "orders", visibility_timeout=60)
            attributes = await wire.get_queue_attributes(queue.url)

    assert first != second
    assert attributes["VisibilityTimeout"] == "60"


async def test_a_long_poll_does_not_hold_up_the_end() -> None:
    """Leaving the block ends the emulator at once, whoever waits for a message."""
    async with embedded_emulator() as endpoint_url, wire_to(endpoint_url) as wire, anyio.create_task_group() as tasks:
        queue = await create_queues(wire, "orders", visibility_timeout=30)

        async def poll() -> None:
            await wire.receive_message(queue.url, max_number_of_messages=1, wait_time_seconds=20)

        tasks.start_soon(poll)
        await wire.get_queue_attributes(queue.url)
        started = time.monotonic()
        tasks.cancel_scope.cancel()

    assert not await is_listening(endpoint_url)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_the_emulator_ends_however_its_owner_ends(
    owner: subprocess.Popen[str], how: signal.Signals, tmp_path: Path
) -> None:
    """Even kill -9 of the owner leaves nothing running and nothing on disk."""
    assert owner.stdout is not None
    endpoint_url = await anyio.to_thread.run_sync(owner.stdout.readline)
    assert await is_listening(endpoint_url.strip())

    os.kill(owner.pid, how)

    await wait_until_gone(endpoint_url.strip())
    with anyio.fail_after(DEADLINE_S):
        while any(tmp_path.iterdir()):
            await anyio.lowlevel.checkpoint()


async def test_the_users_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings meant for another emulator neither persist this one's state nor move it to another interface."""
    monkeypatch.setenv("PERSIST_STATE", "1")
    monkeypatch.setenv("BIND_HOST", "0.0.0.0")
    monkeypatch.setenv("SERVICES", "s3")
    monkeypatch.setenv("USE_SSL", "1")

    async with embedded_emulator() as endpoint_url, wire_to(endpoint_url) as wire:
        await create_queues(wire, "orders", visibility_timeout=30)


async def test_a_module_in_the_current_folder_does_not_stand_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user's own hypercorn.py next to the handler is not what the emulator imports."""
    (tmp_path / "hypercorn.py").write_text("raise SystemExit('wrong one')")
    monkeypatch.chdir(tmp_path)

    async with embedded_emulator() as endpoint_url:
        assert await is_listening(endpoint_url)


async def test_an_emulator_that_does_not_start_says_what_it_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The end of its log is the error message."""
    (tmp_path / "hypercorn.py").write_text("raise SystemExit('out of luck')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    with pytest.raises(LocalEmulatorError, match="out of luck"):
        async with embedded_emulator():
            pass

    assert not any(temporary.iterdir())


async def test_an_emulator_that_dies_cancels_the_work_and_says_so() -> None:
    """A worker must not poll a server for ever that is no longer there."""
    with pytest.raises(LocalEmulatorError, match="has died"), anyio.fail_after(DEADLINE_S):
        async with embedded_emulator() as endpoint_url:
            assert await is_listening(endpoint_url)
            os.kill(child_called("emulator_child.py"), signal.SIGKILL)
            await anyio.sleep_forever()


def child_called(script: str) -> int:
    """The process id of our child that runs `script`."""
    for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for pid in children.read_text().split():
            if script in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
    raise AssertionError(f"no child runs {script}")
