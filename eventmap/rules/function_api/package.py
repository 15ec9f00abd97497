"""What a zip file of code may hold, decided from its directory before anything is written (INV-86)."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final
from zipfile import ZipInfo

from eventmap.errors import InvalidParameterValue

ZIPPED_LIMIT_BYTES: Final = 52_428_800
UNZIPPED_LIMIT_BYTES: Final = 262_144_000
ENTRY_LIMIT: Final = 50_000
"""Our own: so many files and folders a zip file may hold, however small."""

UNREADABLE: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."


_ENTRY: Final = b"PK\1\2"


def check_size(zipped: bytes) -> None:
    """Raises: InvalidParameterValue for a zip file too large, or of too many entries, to be looked into."""
    if len(zipped) > ZIPPED_LIMIT_BYTES:
        raise InvalidParameterValue(
            f"The zip file must be at most {ZIPPED_LIMIT_BYTES} bytes long, not {len(zipped)} (INV-86)"
        )
    # Within what it holds the same bytes may be met, but hardly so often; its directory alone could fill the memory.
    if (count := zipped.count(_ENTRY)) > 2 * ENTRY_LIMIT:
        raise InvalidParameterValue(f"The zip file holds {count} entries; at most {ENTRY_LIMIT} are unpacked")


def check_entries(entries: Sequence[ZipInfo]) -> None:
    """Raises: InvalidParameterValue if unpacking it could fill the disk, or reach beyond its folder."""
    if not entries:
        raise InvalidParameterValue("Uploaded file must be a non-empty zip")
    if len(entries) > ENTRY_LIMIT:
        raise InvalidParameterValue(f"The zip file holds {len(entries)} entries; at most {ENTRY_LIMIT} are unpacked")
    if sum(entry.file_size for entry in entries) > UNZIPPED_LIMIT_BYTES:
        raise InvalidParameterValue(f"Unzipped size must be smaller than {UNZIPPED_LIMIT_BYTES} bytes")
    for entry in entries:
        _check_name(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InvalidParameterValue(
                f"{UNREADABLE} ({entry.filename!r} is no plain file: links and devices are not unpacked)"
            )


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidParameterValue(f"{UNREADABLE} ({name!r} would lie outside the folder of the code)")


def file_mode(entry: ZipInfo) -> int:
    """What its file may be used for: reading, and running if it could be run; by nobody but us."""
    return 0o500 if (entry.external_attr >> 16) & 0o111 else 0o400
