"""A terminal: lines scroll, one live line stays below them. Used by one thread only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live

_STYLES = (
    (("START ", "END ", "REPORT ", "INIT_REPORT "), "dim"),
    (("[ERROR]", "Traceback "), "red"),
    (("eventmap: ",), "cyan"),
)


class Screen:
    """`status` makes the live line's text; an empty one shows none."""

    def __init__(self, status: Callable[[], str]) -> None:
        self._status = status
        self._live: Live | None = None

    def show(self, texts: Sequence[str]) -> None:
        """Print texts above the live line and bring that up to date."""
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            console = Console(file=sys.__stdout__, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        if texts:
            shown = Text("\n").join(Text(text, style=_style(text)) for text in texts)
            self._live.console.print(shown, soft_wrap=True)
        self._live.update(Text(self._status(), style="bold", no_wrap=True, overflow="ellipsis"), refresh=True)

    def stop(self) -> None:
        if self._live is not None:
            self._live.stop()


def _style(text: str) -> str:
    for starts, style in _STYLES:
        if text.startswith(starts):
            return style
    return "yellow" if text[9:16] == "WARNING" else "red" if text[9:14] == "ERROR" else ""
