"""A child that dies with its parent, even when the parent is killed and the child is busy. Loaded by the child only.

The parent holds the other end of a pipe and never writes to it; the kernel closes it with the parent.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading


def tie_to_parent(fd: int) -> None:
    """End this process and its whole group as soon as the other end of the pipe `fd` is closed."""
    try:
        # The kernel itself sends the signal, so code that holds the interpreter's lock for minutes dies as well.
        fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    except (AttributeError, OSError):  # only Linux lets a process choose the signal
        os.set_blocking(fd, True)
        threading.Thread(target=_wait_for_end, args=(fd,), daemon=True).start()
        return
    try:
        os.read(fd, 1)
    except BlockingIOError:
        return  # the parent is alive
    _end()


def _wait_for_end(fd: int) -> None:
    os.read(fd, 1)
    _end()


def _end() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
