"""The `eventmap` command: exit 0 done or drained, 1 failed, 2 misuse.

Each command is one file; what it needs is imported when it is called, so that no command pays for another.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; `arguments` None = those of this process. Ends the process with an exit code."""
    from eventmap.cli.commands import run_command_line

    end(run_command_line(arguments))


def end(code: int) -> NoReturn:
    """Exit without taking the interpreter apart, which takes longer than the drain of an idle worker does."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # whoever read it has gone
            pass
    os._exit(code)
