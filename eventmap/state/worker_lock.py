"""Proof that a worker of this machine lives: a file it keeps locked. The system drops the lock however it dies."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class WorkerLock:
    """The lock file of one worker of one application, beside the state file.

    A worker locks it in shared mode, and waits for it; who wants to know whether the worker lives tries the exclusive
    mode, and never waits. So a probe cannot stop a worker from starting. Windows has no such lock: there nobody is ever
    known to be dead.
    """

    def __init__(self, state_file: Path, application: str, worker: str) -> None:
        # A worker's name may hold what a file's name may not.
        name = hashlib.sha256(f"{application}\0{worker}".encode()).hexdigest()[:16]
        self.path: Path = state_file.with_name(f"{state_file.name}.{name}.lock")
        self._descriptor: int | None = None

    def hold(self) -> None:
        """Lock it until `drop` or the end of the process; again, if someone has removed the file since.

        Raises: OSError if it can be neither made nor locked.
        """
        if sys.platform == "win32":
            return
        while not (self._descriptor is not None and _is_at(self.path, self._descriptor)):
            self.drop()
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            # A probe may have found the file unlocked and removed it just before: what is locked must be what is there.

    def drop(self) -> None:
        """Let go of it. The file stays: whoever finds it unlocked removes it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_abandoned(self) -> bool:
        """Whether no process holds it any more. Then the file is gone afterwards."""
        if sys.platform == "win32":
            return False
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False  # another user's: nothing can be said
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(self.path, descriptor):
                return False  # it was removed, and perhaps made anew, since it was opened: look again later
            self.path.unlink()
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
