"""Tumbling windows of one shard: batches of one window hand a state on, the last invocation closes it (STR-80..89).

first record ─▶ window opens, state {} ─▶ batch, batch … ─▶ later record · shard's end · read past its end
                                                      └─▶ final invocation ─▶ state dropped
state above 1 MB ─▶ early final invocation with all of it ─▶ the window goes on with {}
"""

from __future__ import annotations

from collections.abc import Callable

from eventmap.delivery.stream.attempts import Attempts
from eventmap.delivery.stream.lane import Lane
from eventmap.model import Event, JsonObject, Returned, StreamRecord
from eventmap.rules.batching import PAYLOAD_LIMIT_BYTES
from eventmap.rules.window import (
    Window,
    is_oversized,
    read_state,
    restored_window,
    saved_window,
    window_event,
    window_of,
)


class TumblingWindow:
    """The window under way: what its events look like, and the state handed from one to the next (a `Shape`)."""

    def __init__(self, window: Window, state: JsonObject, *, shard_id: str, stream_arn: str) -> None:
        self.window = window
        self.state = state
        self.is_final = False
        self.is_early = False
        self._shard_id = shard_id
        self._stream_arn = stream_arn

    def event(self, records: tuple[StreamRecord, ...]) -> Event:
        return window_event(
            records,
            self.window,
            self.state,
            shard_id=self._shard_id,
            stream_arn=self._stream_arn,
            is_final=self.is_final,
            is_early=self.is_early,
        )

    def missing(self, response: Returned) -> str | None:
        # Of the final invocation too, whose state is dropped: the rule knows no exception.
        return None if read_state(response.payload) is not None else "the response has no state (STR-81)"

    def accept(self, response: Returned) -> None:
        state = read_state(response.payload)
        if state is not None:
            self.state = state


class WindowedLane:
    """One shard's batches, cut at window boundaries. `saved` is the window its lease was left with; None = none."""

    def __init__(
        self,
        lane: Lane,
        attempts: Attempts,
        *,
        length_s: int,
        shard_id: str,
        stream_arn: str,
        saved: JsonObject | None,
        changed: Callable[[], None],
    ) -> None:
        self._lane = lane
        self._attempts = attempts
        self._length_s = length_s
        self._shard_id = shard_id
        self._stream_arn = stream_arn
        self._changed = changed
        self._current = self._open(*restored_window(saved)) if saved else None

    @property
    def saved(self) -> JsonObject | None:
        """What is to be saved with the checkpoint; None = no window is under way."""
        return saved_window(self._current.window, self._current.state) if self._current else None

    async def run(self) -> bool:
        """Until the shard's end (True), or until asked to leave (False)."""
        while True:
            if self._current is None:
                first = await self._lane.first()
                if first is None:
                    return not self._lane.stopped
                self._current = self._open(window_of(first.arrived_at, self._length_s), {})
            current = self._current
            if is_oversized(current.state):  # just now, or when it was saved
                if not await self._end(current, is_early=True):
                    return False
                continue
            records = await self._lane.next_batch(
                self._belongs, current.window.end_s, limit_bytes=PAYLOAD_LIMIT_BYTES - len(current.event(()).text)
            )
            if records:
                if not await self._attempts.finish(records, current):
                    return False
            elif self._lane.stopped or not await self._end(current):
                return False

    def _open(self, window: Window, state: JsonObject) -> TumblingWindow:
        return TumblingWindow(window, state, shard_id=self._shard_id, stream_arn=self._stream_arn)

    def _belongs(self, record: StreamRecord) -> bool:
        """A record that arrived before the window began is late: it joins the one that is open."""
        return self._current is not None and record.arrived_at < self._current.window.end_s

    async def _end(self, current: TumblingWindow, *, is_early: bool = False) -> bool:
        """The final invocation; False = asked to leave before it had succeeded or was given up (STR-83, 84, 102a)."""
        current.is_final, current.is_early = True, is_early
        if not await self._attempts.finish((), current):
            current.is_final = current.is_early = False
            return False
        self._current = self._open(current.window, {}) if is_early else None
        self._changed()
        return True
