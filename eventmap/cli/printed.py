"""What inline handlers print, on its way to the output of the run."""

from __future__ import annotations

import io
import threading

from eventmap.cli.output import Output


class Printed(io.TextIOBase):
    """Stands in for `sys.stdout`, so that neither a slow reader nor one that has left can hurt a handler.

    Whose lines they are is not known: handlers share the process.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._lock = threading.Lock()
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._output.line("", "", line)
        return len(text)
