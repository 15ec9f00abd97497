"""One child process: spawned, spoken to over its socket, watched until it ends, killed with all it started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import anyio

from eventmap.errors import EnvironmentNotStarted
from eventmap.runtime import frames, memory
from eventmap.runtime.output import Output
from eventmap.runtime.report import InvocationLog
from eventmap.runtime.response import RESPONSE_LIMIT_BYTES

_BOOTSTRAP: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
_RECEIVE_BYTES: Final = 262_144


@dataclass(frozen=True, slots=True)
class Answer:
    """A frame of the child; `kind` is one of those in `frames`."""

    kind: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The process is gone; `status` is its exit code, or minus the signal that ended it."""

    status: int


class ChildProcess:
    """Everything here but waiting is synchronous, so that killing and closing also work while being cancelled."""

    def __init__(
        self,
        target: str,
        variables: Mapping[str, str],
        function_name: str,
        log: InvocationLog,
        code_folder: str | None = None,
    ) -> None:
        """Start it, in `code_folder`; None = where this process is. Raises: EnvironmentNotStarted."""
        self._loop = asyncio.get_running_loop()
        try:
            output = self._spawn(target, variables, code_folder)
        except OSError as error:
            raise EnvironmentNotStarted(f"no process could be started for {function_name!r}: {error}") from error
        self.status: int | None = None
        self.output: Output = Output(output, function_name, log)
        self._peak_bytes = 0
        self._buffer = bytearray()
        self._unsent = memoryview(b"")
        self._received: Answer | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._ended = anyio.Event()
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._read)
        self._watch_exit()

    def _spawn(self, target: str, variables: Mapping[str, str], code_folder: str | None) -> int:
        """Start the process; returns the descriptor its output is read from. Whatever fails, nothing stays open."""
        with ExitStack() as undo, ExitStack() as theirs:
            self._control, their_control = socket.socketpair()
            undo.callback(self._control.close)
            theirs.callback(their_control.close)
            their_lifeline, self._lifeline = os.pipe()
            undo.callback(os.close, self._lifeline)
            theirs.callback(os.close, their_lifeline)
            output, their_output = os.pipe()
            undo.callback(os.close, output)
            theirs.callback(os.close, their_output)
            fds = (their_control.fileno(), their_lifeline)
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-u",
                    "-X",
                    "utf8",
                    "-X",
                    "faulthandler",
                    _BOOTSTRAP,
                    *map(str, fds),
                    target,
                    *([] if code_folder is None else [code_folder]),
                    *sys.path,
                ],
                cwd=code_folder,
                stdin=subprocess.DEVNULL,
                stdout=their_output,
                stderr=their_output,
                env=variables,
                pass_fds=fds,
                start_new_session=True,  # a process group of its own: killed as a whole, deaf to the terminal's Ctrl-C
            )
            undo.pop_all()
            return output

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it still listens; asks the socket, because the loop may not yet have been told of its end."""
        if self.status is not None:
            return False
        try:
            return bool(self._control.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def send(self, message: bytes) -> None:
        """Hand a frame over without waiting; if the child has gone, `next_answer` says so."""
        try:
            sent = self._control.send(message)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        if sent < len(message):
            self._unsent = memoryview(message)[sent:]
            self._loop.add_writer(self._control, self._write)

    async def next_answer(self) -> Answer | Ended:
        """Wait for a frame, or for the end of the process if it comes first; one caller at a time."""
        if self._received is None and self.status is None:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if (answer := self._received) is not None:
            self._received = None
            return answer
        assert self.status is not None
        return Ended(self.status)

    async def wait_ended(self) -> None:
        """Wait until the process has ended and nothing of it is left open here."""
        await self._ended.wait()

    def hang_up(self) -> None:
        """Close the conversation, if it is open: an idle child then ends by itself."""
        if self._control.fileno() == -1:
            return
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        self._control.close()

    def kill(self) -> None:
        """End the process and its whole group at once, if it still runs; its end is noticed soon after."""
        if self.status is None:
            self.max_memory_used_bytes()  # cannot be asked afterwards
            self._kill_group()

    def resident_bytes(self) -> int:
        """Memory the process holds now, without its descendants; 0 = not known."""
        found = memory.resident_bytes(self.pid) or 0
        self._peak_bytes = max(self._peak_bytes, found)
        return found

    def max_memory_used_bytes(self) -> int:
        """The most memory the process has held so far; 0 = not known."""
        if self.status is None and (peak := memory.peak_bytes(self.pid)) is not None:
            self._peak_bytes = peak
        return self._peak_bytes

    def _read(self) -> None:
        try:
            piece = self._control.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:  # the process is ending, or its code closed our socket; either way its end decides
            self._loop.remove_reader(self._control)
            return
        self._buffer += piece
        if len(self._buffer) < frames.ANSWER.size:
            return
        kind, peak_kib, size = frames.ANSWER.unpack_from(self._buffer)
        if size > RESPONSE_LIMIT_BYTES:  # no frame of ours: user code wrote into our socket
            self._kill_group()
        elif len(self._buffer) >= frames.ANSWER.size + size:
            self._received = Answer(kind, bytes(self._buffer[frames.ANSWER.size : frames.ANSWER.size + size]))
            self._buffer = bytearray()
            if self._peak_bytes == 0 and sys.platform != "linux":
                self._peak_bytes = peak_kib * 1024
            self._wake()

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[self._control.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = memoryview(b"")
        if not self._unsent:
            self._loop.remove_writer(self._control)

    def _watch_exit(self) -> None:
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or forbidden: a thread that waits does the same
            threading.Thread(target=self._wait_in_thread, daemon=True).start()
            return

        def ended() -> None:
            self._loop.remove_reader(fd)
            os.close(fd)
            self._on_exit()

        self._loop.add_reader(fd, ended)

    def _wait_in_thread(self) -> None:
        self._process.wait()
        try:
            self._loop.call_soon_threadsafe(self._on_exit)
        except RuntimeError:
            return  # the loop was closed without waiting for us

    def _on_exit(self) -> None:
        self._kill_group()  # what it started must not outlive it; before it is reaped its number cannot be another's
        self.status = self._process.wait()
        if self._control.fileno() != -1:
            self._read()
        self.hang_up()
        os.close(self._lifeline)
        try:
            self.output.drain()
        finally:  # a log that fails must not keep anybody waiting
            self.output.close()  # descendants in other groups may hold the pipe: nobody waits for them
            self._ended.set()
            self._wake()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return  # nothing is left of it

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
