"""How much memory a process holds, where the operating system shows it (/proc)."""

from __future__ import annotations

import os
import sys
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int | None:
    """Memory the process holds now; None if that cannot be told, or it has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return None


def peak_bytes(pid: int) -> int | None:
    """The most memory the process has held since it was started; None if that cannot be told, or it has ended."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            _, found, rest = file.read().partition(b"VmHWM:")
    except OSError:
        return None
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else None


def own_peak_bytes() -> int:
    """The most memory this process has held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
