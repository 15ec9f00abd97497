from __future__ import annotations

import asyncio
import sys
import threading
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import pytest

from eventmap import clock
from eventmap.errors import VirtualTimeDeadlock
from eventmap.testing import VirtualTimeLoop, run_in_virtual_time


@pytest.mark.virtual_time
async def test_a_sleep_of_half_a_day_moves_both_clocks_by_half_a_day() -> None:
    """The loop's clock and the wall clock of `eventmap.clock` advance together, from fixed starts."""
    before = (clock.elapsed_s(), clock.utc_now())

    await anyio.sleep(12 * 3600)

    assert before == (0.0, datetime(2026, 1, 1, tzinfo=UTC))
    assert (clock.elapsed_s(), clock.utc_now()) == (43_200.0, datetime(2026, 1, 1, 12, tzinfo=UTC))


@pytest.mark.virtual_time
async def test_deadlines_fire_in_order_and_on_time() -> None:
    """Timeouts, sleeps and streams of anyio see one consistent order of instants."""
    seen: list[tuple[str, float]] = []
    send, receive = anyio.create_memory_object_stream[str](0)

    async def sender() -> None:
        async with send:
            for name in ("a", "b"):
                await anyio.sleep(10)
                await send.send(name)

    async with anyio.create_task_group() as group, receive:
        group.start_soon(sender)
        with anyio.move_on_after(15) as scope:
            async for name in receive:
                seen.append((name, clock.elapsed_s()))
        with pytest.raises(TimeoutError), anyio.fail_after(1):
            await anyio.sleep_forever()
        seen.append(("timeout", clock.elapsed_s()))
        group.cancel_scope.cancel()

    assert scope.cancelled_caught
    assert seen == [("a", 10.0), ("timeout", 16.0)]


@pytest.mark.virtual_time
async def test_time_stands_still_while_a_thread_works() -> None:
    """A pending deadline far away does not fire because a job in the executor takes real milliseconds."""
    loop = asyncio.get_running_loop()
    started, may_end = threading.Event(), threading.Event()

    def job() -> str:
        started.set()
        may_end.wait(30)
        return "done"

    async def release() -> None:
        await loop.run_in_executor(None, started.wait, 30)
        may_end.set()

    async with anyio.create_task_group() as group:
        group.start_soon(release)
        with anyio.fail_after(3600):
            answer = await loop.run_in_executor(None, job)

    assert (answer, loop.time()) == ("done", 0.0)


@pytest.mark.virtual_time
async def test_anyio_threads_stop_the_clock_too() -> None:
    """`anyio.to_thread` under its default limiter counts as work outside the loop, with or without a deadline."""
    assert await anyio.to_thread.run_sync(lambda: 1) == 1
    with anyio.fail_after(3600):
        assert await anyio.to_thread.run_sync(lambda: 2) == 2

    assert clock.elapsed_s() == 0.0


@pytest.mark.virtual_time
async def test_a_timeout_around_a_thread_that_never_ends_fires_in_real_time() -> None:
    """Work outside the loop slows time down to real time, it does not stop deadlines."""
    never = threading.Event()

    with anyio.move_on_after(0.01) as scope:
        await asyncio.get_running_loop().run_in_executor(None, never.wait, 30)
    never.set()

    assert scope.cancelled_caught
    await anyio.sleep(86_400)
    assert clock.elapsed_s() == pytest.approx(86_400.01)


@pytest.mark.virtual_time
async def test_time_does_not_jump_over_a_child_process() -> None:
    """A process is waited for, whether its pipes or only its exit are."""
    with anyio.fail_after(3600):
        finished = await anyio.run_process([sys.executable, "-c", "print(5)"])
        silent = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
        code = await silent.wait()

    assert (finished.stdout.strip(), code) == (b"5", 0)
    assert clock.elapsed_s() < 60


@pytest.mark.virtual_time
async def test_time_does_not_jump_while_a_socket_may_answer() -> None:
    """A listening socket means that somebody may call; the call comes before a deadline an hour away."""

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(b"hello")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with anyio.fail_after(3600):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                assert await stream.receive() == b"hello"
        group.cancel_scope.cancel()

    assert clock.elapsed_s() < 60


@pytest.mark.virtual_time
async def test_outside_work_covers_threads_the_loop_does_not_know(virtual_time: VirtualTimeLoop) -> None:
    """Inside the block the loop waits for a call from another thread instead of jumping."""
    called = asyncio.Event()
    thread = threading.Thread(target=virtual_time.call_soon_threadsafe, args=(called.set,))

    with virtual_time.outside_work(), anyio.fail_after(3600):
        thread.start()
        await called.wait()
    thread.join()

    assert virtual_time.time() == 0.0


def test_a_century_passes_too() -> None:
    """Beyond half a year a float's steps are wider than the loop's own idea of its clock's."""

    async def wait() -> list[float]:
        ends = []
        for _ in range(1000):
            await anyio.sleep(36.5 * 86_400 + 0.1)
            ends.append(clock.elapsed_s())
        return ends

    assert run_in_virtual_time(wait) == pytest.approx([n * (36.5 * 86_400 + 0.1) for n in range(1, 1001)])


def test_a_deadlock_is_an_error_that_names_the_waiting_line() -> None:
    """Nothing scheduled and nobody outside: waiting on would hang for ever."""

    async def wait_for_nobody() -> None:
        await anyio.Event().wait()

    with pytest.raises(VirtualTimeDeadlock, match=r"nothing left to wait for: deadlock.*in wait_for_nobody"):
        run_in_virtual_time(wait_for_nobody)


def test_run_in_virtual_time_passes_arguments_and_returns_the_result() -> None:
    """It is `asyncio.run` for another clock; every run starts at the same instant."""

    async def add(left: int, right: int) -> tuple[int, float]:
        start = clock.elapsed_s()
        await anyio.sleep(5)
        return left + right, start

    assert [run_in_virtual_time(add, 1, 2), run_in_virtual_time(add, 3, 4)] == [(3, 0.0), (7, 0.0)]
