"""The folders of code that came as zip files: unpacked once, named by their hash, private, and never changed."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import shutil
import uuid
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

import anyio

from eventmap.clock import elapsed_s
from eventmap.errors import InvalidParameterValue, StateError
from eventmap.rules.function_api.package import (
    UNREADABLE,
    UNZIPPED_LIMIT_BYTES,
    check_entries,
    check_size,
    file_mode,
)
from eventmap.rules.function_api.recorded import RecordedCode

KEPT_UNUSED_S: Final = 1_200.0
"""How long code that nothing names any more is kept: invocations that began before end on it, 15 minutes at most."""

_PIECE_BYTES: Final = 1 << 20
_NOT_OURS: Final = frozenset(
    getattr(errno, name) for name in ("ENAMETOOLONG", "EEXIST", "ENOTDIR", "EISDIR", "EINVAL", "EILSEQ")
)
"""What the system says of a file that a zip file should not hold; anything else is the disk's fault."""


class CodeFolders:
    """Folders within `code_dir`, which is made when it is needed, for us alone. One process at a time uses it."""

    def __init__(self, code_dir: Path) -> None:
        self._code_dir = code_dir.absolute()
        self._unused_since: dict[str, float] = {}
        self._turn = anyio.Lock()  # what is found to be there already must not be removed meanwhile

    def path(self, folder: str) -> str:
        """Where a folder is."""
        return str(self._code_dir / folder)

    async def unpack(self, zipped: bytes) -> RecordedCode:
        """Unpack a zip file, in a thread. Cut short, it ends all the same, and leaves nothing half done.

        Raises: InvalidParameterValue (not a zip file, too large, or one that reaches beyond its folder), StateError.
        """
        check_size(zipped)
        async with self._turn:
            code = await anyio.to_thread.run_sync(self._unpack, zipped)
            self._unused_since.pop(code.folder, None)
        return code

    async def sweep(self, used: Collection[str], *, at_once: bool = False) -> None:
        """Remove folders that nothing has used for a while, `at_once` = those that nothing uses now."""
        async with self._turn:
            await anyio.to_thread.run_sync(self._sweep, frozenset(used), 0.0 if at_once else KEPT_UNUSED_S, elapsed_s())

    def _unpack(self, zipped: bytes) -> RecordedCode:
        digest = hashlib.sha256(zipped)
        code = RecordedCode(
            folder=digest.hexdigest(), sha256=base64.b64encode(digest.digest()).decode(), size=len(zipped)
        )
        final = self._code_dir / code.folder
        if final.is_dir():
            return code
        fresh = self._code_dir / f"{_NEW}{uuid.uuid4().hex}"
        try:
            self._code_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.mkdir(mode=0o700)
            try:
                _extract(zipped, fresh)
                fresh.rename(final)  # only whole folders have a name that is found
            finally:
                _remove(fresh)
        except OSError as error:
            raise StateError(
                f"code cannot be kept in {self._code_dir}: {error}; make room there or let it be written to"
            ) from error
        return code

    def _sweep(self, used: frozenset[str], kept_s: float, now: float) -> None:
        if not self._code_dir.is_dir():
            return
        there = {each.name for each in self._code_dir.iterdir() if each.is_dir() and _is_ours(each.name)}
        self._unused_since = {name: self._unused_since.get(name, now) for name in there - used}
        for name, since in list(self._unused_since.items()):
            if now - since >= kept_s:
                _remove(self._code_dir / name)
                del self._unused_since[name]


_NEW: Final = "new-"


def _is_ours(name: str) -> bool:
    return name.startswith(_NEW) or (len(name) == 64 and set(name) <= set("0123456789abcdef"))


def _extract(zipped: bytes, folder: Path) -> None:
    """Raises: InvalidParameterValue, OSError."""
    try:
        with zipfile.ZipFile(io.BytesIO(zipped)) as package:
            entries = package.infolist()
            check_entries(entries)
            left = UNZIPPED_LIMIT_BYTES
            for entry in entries:
                path = folder / entry.filename
                if entry.is_dir():
                    path.mkdir(mode=0o700, parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                left -= _write(package, entry, path, left)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        if isinstance(error, InvalidParameterValue):
            raise
        raise InvalidParameterValue(UNREADABLE) from error
    except OSError as error:
        if error.errno in _NOT_OURS:
            raise InvalidParameterValue(f"{UNREADABLE} ({error.strerror})") from error
        raise


def _write(package: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Returns how many bytes it was; what the directory of the zip file says of its size is not believed."""
    written = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, file_mode(entry))
    with os.fdopen(descriptor, "wb") as file, package.open(entry) as source:
        while piece := source.read(_PIECE_BYTES):
            written += len(piece)
            if written > left:
                raise InvalidParameterValue(f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes")
            file.write(piece)
    return written


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
