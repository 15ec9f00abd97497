"""OwnerLock: one process at a time works on a file; the system drops the lock however that process ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from eventmap.errors import StateError
from eventmap.sqlite_file import FileKind

if sys.platform != "win32":
    import fcntl


class OwnerLock:
    """The lock file `PATH.lock` beside the file at `path`; it stays there, and holds its owner's process id.

    Windows has no such lock: there nobody is kept from working on a file that is in use.
    """

    def __init__(self, path: Path, kind: FileKind) -> None:
        self.path: Path = path.with_name(f"{path.name}.lock")
        self._file = path
        self._kind = kind
        self._descriptor: int | None = None

    def hold(self) -> None:
        """Lock it until `drop` or the end of the process; never waits. Raises: StateError."""
        if sys.platform == "win32" or self._descriptor is not None:
            return
        kind = self._kind
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StateError(
                f"the lock file {self.path} beside the {kind.noun} cannot be opened ({error.strerror}): "
                f"make it and its folder writable, or name another file with {kind.option}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            other = f", or let a fleet {kind.for_a_fleet}" if kind.for_a_fleet else ""
            raise StateError(
                f"{kind.noun} {self._file} is in use by process {owner or 'unknown'}: stop it, or give this one a file "
                f"of its own with {kind.option} PATH{other}"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def drop(self) -> None:
        """Let go of it; doing so twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
