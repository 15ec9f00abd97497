"""`--workers N`: N processes that serve, one that starts, watches and adds them up."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from eventmap.cli.failure import DONE, FAILED
from eventmap.cli.output import REPORT, Output
from eventmap.cli.place import Place, open_place
from eventmap.cli.plan import Plan
from eventmap.cli.python import python
from eventmap.cli.run_options import RunOptions
from eventmap.cli.stopping import Stop
from eventmap.cli.tally import Tally, added_up
from eventmap.cli.working import Job, Leftovers, leftovers, prepare
from eventmap.runtime.error_object import exit_reason

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
_PIECE_BYTES: Final = 65_536


async def supervise(job: Job) -> tuple[int, Leftovers]:
    """Run the workers until they have ended; returns their worst exit code. Raises: EventmapError."""
    async with open_place(job.options) as place:
        plan, _ = await prepare(job, place)
        with _shared_state(place, plan) as state:
            return await _supervise(job, place, plan, state)


async def _supervise(job: Job, place: Place, plan: Plan, state: str | None) -> tuple[int, Leftovers]:
    # Workers do not serve, so they need no keys.
    options = replace(job.options, workers=1, send=None, access_keys={}, emulator_url=place.aws.endpoint_url)
    crew = Crew(replace(options, state=state or options.state), job.output, job.stop)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(job.progress.follow, crew.tally)
        code = await crew.run(job.options.workers)
        tasks.cancel_scope.cancel()
    job.progress.sample(crew.tally())
    return code, await leftovers(job, place, plan)


@contextmanager
def _shared_state(place: Place, plan: Plan) -> Iterator[str | None]:
    """The file in which the workers share out the emulator's shards, as long as it lives; None = not needed."""
    if not place.is_local or not plan.streams:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="eventmap-") as folder:
        yield os.path.join(folder, "state.sqlite")


class Crew:
    """Workers with the same options. One that ends with an error is started again, unless none has ever worked."""

    def __init__(self, options: RunOptions, output: Output, stop: Stop) -> None:
        self._options = options if options.local else replace(options, emulator_url=None)
        self._output = output
        self._stop = stop
        self._tallies: list[Tally] = []  # one for each process there has been
        self._processes: set[Process] = set()
        self._works = anyio.Event()  # one has begun to serve
        self._worst = DONE
        stop.on_force = self._kill

    def tally(self) -> Tally:
        return added_up(self._tallies)

    async def run(self, count: int) -> int:
        """Run `count` workers, the first one alone until it serves: what is wrong is then told once."""
        self._stop.works()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._forward_stop)
            async with anyio.create_task_group() as workers:
                workers.start_soon(self._keep, 1)
                await self._works.wait()
                if not self._worst:
                    self._output.tell(f"{count} workers")
                    for number in range(2, count + 1):
                        workers.start_soon(self._keep, number)
            tasks.cancel_scope.cancel()
        return self._worst

    async def _forward_stop(self) -> None:
        await self._stop.asked.wait()
        for process in self._processes:
            process.terminate()

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    async def _keep(self, number: int) -> None:
        """One worker, and its successors."""
        wait_s = _FIRST_WAIT_S
        while not self._stop.asked.is_set():
            code = await self._run_one()
            if code == DONE or self._stop.asked.is_set() or not self._works.is_set():
                # A signal it did not survive is a failure like any other.
                self._worst = max(self._worst, code if code >= 0 else FAILED)
                self._works.set()
                return
            self._output.tell(f"worker {number} has died ({exit_reason(code)}); starting it again in {wait_s:.0f} s")
            with anyio.move_on_after(wait_s):
                await self._stop.asked.wait()
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _run_one(self) -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                process = await anyio.open_process(
                    python("eventmap.cli.worker", str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C in the terminal is for us, who pass it on in order
                )
            async with process:
                with self._among_processes(process):
                    return await self._converse(process, ours)

    async def _converse(self, process: Process, channel: socket.socket) -> int:
        index = len(self._tallies)
        self._tallies.append(Tally())
        if self._stop.asked.is_set():
            process.terminate()
        assert process.stdin and process.stdout and process.stderr
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as readers:
            readers.start_soon(_each_line, BufferedByteReceiveStream(process.stdout).receive, self._on_stdout)
            readers.start_soon(_each_line, BufferedByteReceiveStream(process.stderr).receive, self._on_stderr)
            readers.start_soon(
                _each_line,
                lambda: loop.sock_recv(channel, _PIECE_BYTES),
                lambda line: self._on_channel(index, line),
            )
            try:
                await process.stdin.send(f"{self._options.to_json()}\n".encode())
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # it has died already, which its exit code tells
            code = await process.wait()
        self._tallies[index] = self._tallies[index].ended()
        return code

    @contextmanager
    def _among_processes(self, process: Process) -> Iterator[None]:
        self._processes.add(process)
        try:
            yield
        finally:
            self._processes.discard(process)

    def _on_stdout(self, line: str) -> None:
        self._output.pass_on(1, line)

    def _on_stderr(self, line: str) -> None:
        self._output.pass_on(2, line)

    def _on_channel(self, index: int, line: str) -> None:
        if line.startswith(str(REPORT)):
            self._tallies[index] = Tally(**json.loads(line[1:]))
            self._works.set()
        else:
            self._output.pass_on(2 if line.startswith("2") else 1, line[1:])


async def _each_line(receive: Callable[[], Awaitable[bytes]], take: Callable[[str], None]) -> None:
    """Split what arrives into lines, until it ends."""
    rest = b""
    while True:
        try:
            piece = await receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, ConnectionError):
            piece = b""
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            take(line.decode(errors="replace"))
        if not piece:
            break
    if rest:
        take(rest.decode(errors="replace"))
