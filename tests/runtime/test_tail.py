"""The end of a log for who asked for it (INV-12)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventmap.runtime.tail import TAIL_LIMIT_BYTES, LogTail, TailedLog
from tests.runtime.running import REQUEST_ID, RememberedLog, Unread, event, in_process


def test_inv_12_only_what_is_followed_is_kept() -> None:
    """INV-12: the lines of that request, while it is followed; everything is passed on."""
    inner = RememberedLog()
    log = TailedLog(inner)

    log.line("orders", "a", "before")
    with log.following("a") as tail:
        log.line("orders", "a", "one")
        log.line("orders", "b", "other")
        log.line("orders", "a", "two")
    log.line("orders", "a", "after")

    assert bytes(tail) == b"one\ntwo\n"
    assert inner.texts == ["before", "one", "other", "two", "after"]


def test_nobody_reads_nothing_is_formatted() -> None:
    """Enabled while somebody follows, or the inner log is; a log that is not gets no line."""
    inner = Unread()
    log = TailedLog(inner)

    assert not log.enabled
    with log.following("a"):
        assert log.enabled
        log.line("orders", "a", "one")
    assert not log.enabled
    assert inner.lines == []
    assert TailedLog(RememberedLog()).enabled


@given(st.lists(st.text(max_size=20) | st.text(min_size=1, max_size=4).map(lambda part: part * 3_000), max_size=30))
def test_inv_12_the_last_4096_bytes_and_no_half_character(lines: list[str]) -> None:
    """INV-12: the end of the whole text, whatever the lines are; a cut character is left out."""
    tail = LogTail()
    for line in lines:
        tail.add(line)

    whole = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")

    assert whole.endswith(bytes(tail))
    assert len(whole) <= TAIL_LIMIT_BYTES or TAIL_LIMIT_BYTES - 3 <= len(bytes(tail)) <= TAIL_LIMIT_BYTES
    bytes(tail).decode()


def test_a_lone_surrogate_does_not_stop_a_log() -> None:
    """Error messages may hold anything."""
    tail = LogTail()

    tail.add("a\ud800b")

    assert bytes(tail) == b"a?b\n"


async def test_inv_12_a_process_prints_into_the_tail() -> None:
    """INV-12: what the child and its descendants printed, from START to REPORT."""
    log = TailedLog(Unread())

    async with in_process("chatty", log) as runtime:  # type: ignore[arg-type]
        with log.following(REQUEST_ID) as tail:
            await runtime.invoke(event(), request_id=REQUEST_ID)
        await runtime.invoke(event())

    lines = bytes(tail).decode().splitlines()
    assert lines[0] == f"START RequestId: {REQUEST_ID} Version: $LATEST"
    assert lines[1:5] == ["printed", "to stderr", "from C", "grandchild"]
    assert lines[-2] == f"END RequestId: {REQUEST_ID}"
    assert lines[-1].startswith(f"REPORT RequestId: {REQUEST_ID}\tDuration: ")
