"""What a run prints, written by a thread of its own: a slow reader of our output never stops the engine.

Standard output takes the lines of invocations and the summary, standard error what the engine and this command have to
say. On a terminal both go above one live line.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from eventmap import clock
from eventmap.cli.screen import Screen

Format = Literal["live", "plain", "json"]
Stream = Literal[0, 1, 2]

REPORT: Final = 0  # the stream on which a worker reports to its supervisor

_PAUSE_S: Final = 0.03  # between two writes: lines that come together are written together
_REFRESH_S: Final = 0.15  # of the live line
_WAITING_LIMIT: Final = 32 * 2**20  # characters that wait for a slow reader


def chosen_format(asked: str) -> Format:
    """`--log-format` as it applies to this process' standard output."""
    if asked == "json":
        return "json"
    return "live" if asked == "auto" and sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else "plain"


class Output:
    """An `InvocationLog`, and the messages of the command; `close` writes what is left.

    `status` makes the live line; it is called on the writing thread. `channel` is the descriptor a worker sends
    everything to, each line behind its stream's number; None = this process prints.
    """

    enabled = True

    def __init__(self, form: Format, status: Callable[[], str], *, channel: int | None = None) -> None:
        self.format = form
        self._channel = channel
        self.names_functions = False  #: put the function before each plain line, for more functions than one
        self._lock = threading.Lock()
        self._pending: list[tuple[Stream, str]] = []
        self._waiting = 0
        self._dropped = 0
        self._gone: set[int] = set()  # descriptors whose reader has left
        self._screen = Screen(status) if form == "live" else None
        self._on_screen = set() if self._screen is None else {1, 2} if sys.stderr.isatty() else {1}
        self._something = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="eventmap-output", daemon=True)
        self._thread.start()

    def line(self, function_name: str, request_id: str, text: str) -> None:
        """Take one record of an invocation."""
        if self.format == "json":
            text = _json(time=_now(), function=function_name, request_id=request_id, line=text)
        elif self.names_functions and function_name:
            text = "\n".join(f"[{function_name}] {line}" for line in text.split("\n"))
        self._put(1, text)

    def say(self, text: str, **document: object) -> None:
        """Print a result; as JSON `document` stands for it."""
        self._put(1, _json(time=_now(), **document) if self.format == "json" else text)

    def tell(self, text: str) -> None:
        """Tell the user about the run itself."""
        self._put(2, _json(time=_now(), level="INFO", message=text) if self.format == "json" else f"eventmap: {text}")

    def event(self, record: logging.LogRecord, name: str, fields: dict[str, object]) -> None:
        """Show a log event of the engine."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        if self.format == "json":
            more = {"traceback": trace} if trace else {}
            self._put(2, _json(time=_now(), level=record.levelname, event=name, **fields, **more))
            return
        shown = " ".join(f"{key}={value}" for key, value in fields.items())
        self._put(2, f"{_now()[11:19]} {record.levelname} {name} {shown}".rstrip() + (f"\n{trace}" if trace else ""))

    def pass_on(self, stream: Stream, text: str) -> None:
        """A line that is in its final form."""
        self._put(stream, text)

    def close(self, timeout_s: float | None = None) -> None:
        """Write what is left and take the live line away; None = for as long as the reader takes."""
        self._closing.set()
        self._something.set()
        self._thread.join(timeout_s)

    def report(self, document: object) -> None:
        """A worker tells its supervisor how far it is."""
        self._put(REPORT, json.dumps(document))

    def _put(self, stream: Stream, text: str) -> None:
        with self._lock:
            if self._waiting > _WAITING_LIMIT and stream != REPORT:
                self._dropped += 1
                return
            self._waiting += len(text)
            self._pending.append((stream, text))
        if not self._something.is_set():
            self._something.set()

    def _write_all(self) -> None:
        while not self._closing.is_set():
            self._something.wait(_REFRESH_S if self._screen else None)
            self._write_pending()
            self._closing.wait(_PAUSE_S)
        self._write_pending()
        if self._screen:
            self._screen.stop()

    def _write_pending(self) -> None:
        self._something.clear()
        with self._lock:
            pending, self._pending = self._pending, []
            dropped, self._dropped = self._dropped, 0
            self._waiting = 0
        if dropped:
            pending.append((2, f"eventmap: {dropped} lines are not shown: whoever reads the output is too slow"))
        if self._channel is not None:
            lines = [f"{stream}{line}\n" for stream, text in pending for line in text.split("\n")]
            self._write(self._channel, lines)
            return
        on_screen = self._on_screen
        if self._screen:
            self._show([text for stream, text in pending if stream in on_screen])
        for stream in (1, 2):
            if stream not in on_screen:
                self._write(stream, [f"{text}\n" for to, text in pending if to == stream])

    def _show(self, texts: list[str]) -> None:
        assert self._screen is not None
        try:
            self._screen.show(texts)
        except OSError:  # the terminal was closed
            self._screen = None
            self._gone.update(self._on_screen)

    def _write(self, stream: int, lines: list[str]) -> None:
        if not lines or stream in self._gone:
            return
        left = memoryview("".join(lines).encode(errors="replace"))
        try:
            while left:
                left = left[os.write(stream, left) :]
        except OSError:  # a closed pipe: whoever read us has gone, the work goes on
            self._gone.add(stream)


class EventLog(logging.Handler):
    """Hands the engine's log events to an output."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "eventmap_fields", None)
        if fields is None:  # logged by the runtime, whose fields are attributes of the record
            fields = {name: value for name, value in vars(record).items() if name not in _RECORD_ATTRIBUTES}
        self._output.event(record, getattr(record, "eventmap_event", record.getMessage()), fields)


def show_events(output: Output, *, verbose: bool) -> None:
    """Show the engine's log events in this process from now on: warnings, and INFO if `verbose`."""
    logger = logging.getLogger("eventmap")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    logger.addHandler(EventLog(output))
    logger.propagate = False


_RECORD_ATTRIBUTES: Final = {*vars(logging.makeLogRecord({})), "message", "asctime"}


def _now() -> str:
    return datetime.fromtimestamp(clock.wall_time_s(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(**document: object) -> str:
    return json.dumps(document, ensure_ascii=False, default=str)
