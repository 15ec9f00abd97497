"""What a child prints, and when it is told (INV-133..135)."""

from __future__ import annotations

import os
import re
import signal
import time

from eventmap.runtime.output import LINE_LIMIT_BYTES
from tests.runtime.running import REQUEST_ID, RememberedLog, error, event, in_process, returned


class DeafLog(RememberedLog):
    enabled = False


async def test_inv_134_and_135_all_output_belongs_to_its_request_in_order():
    """INV-134, INV-135: prints, writes of C code, grandchildren and log records, whole lines, before END."""
    log = RememberedLog()

    async with in_process("chatty", log) as runtime:
        for request_id in (REQUEST_ID, "second"):
            await runtime.invoke(event(), request_id=request_id)
            lines = [text for line_id, text in log.lines if line_id == request_id]
            log.lines.clear()

            assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
            assert lines[1:5] == ["printed", "to stderr", "from C", "grandchild"]
            assert re.fullmatch(
                rf"\[WARNING\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request_id}\twarned 7", lines[5]
            )
            assert lines[6:8] == ["logged", "no newline"]
            assert lines[8] == f"END RequestId: {request_id}"
            assert lines[9].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
            assert len(lines) == 10


async def test_inv_117_the_level_of_the_root_logger_can_be_set():
    """INV-117: AWS_LAMBDA_LOG_LEVEL lets records of INFO through."""
    log = RememberedLog()

    async with in_process("chatty", log, environment={"AWS_LAMBDA_LOG_LEVEL": "INFO"}) as runtime:
        await runtime.invoke(event())

    assert any(text.endswith("\tnot shown") for text in log.texts)


async def test_twenty_megabytes_on_one_line_pass_in_bounded_pieces():
    """No character is cut in two, nothing is lost, and no piece is above the bound."""
    log = RememberedLog()

    async with in_process("big_line", log, timeout=30) as runtime:
        assert returned(await runtime.invoke(event(size=20_000_000))) == "done"

    pieces = log.between_start_and_end()
    assert max(len(piece.encode()) for piece in pieces) <= LINE_LIMIT_BYTES
    assert "".join(pieces) == "é" * 10_000_000


async def test_output_nobody_reads_does_not_block_the_child():
    """With the log disabled the pipe is emptied all the same."""
    log = DeafLog()

    async with in_process("big_line", log, timeout=30) as runtime:
        assert returned(await runtime.invoke(event(size=20_000_000))) == "done"

    assert log.lines == []


async def test_printing_for_ever_ends_at_the_deadline():
    """Endless output neither delays the deadline nor the END line."""
    log, started = RememberedLog(), time.monotonic()

    async with in_process("print_for_ever", log, timeout=1) as runtime:
        assert error(await runtime.invoke(event()))["errorType"] == "Sandbox.Timedout"

    assert time.monotonic() - started < 5
    assert log.between_start_and_end()[0] == "again"


async def test_a_grandchild_that_prints_for_ever_does_not_hold_the_answer():
    """What was written before the answer is told, and no more is waited for."""
    async with in_process("leave_printer") as runtime:
        assert returned(await runtime.invoke(event())) == "done"
        assert returned(await runtime.invoke(event())) == "done"


async def test_a_grandchild_out_of_reach_that_holds_the_pipe_does_not_hang_the_end():
    """A daemon in its own session keeps our pipe open; we leave without it."""
    started = time.monotonic()
    async with in_process("leave_holder_elsewhere") as runtime:
        holder = returned(await runtime.invoke(event()))

    os.kill(holder, signal.SIGKILL)
    assert time.monotonic() - started < 10


async def test_closing_standard_output_loses_output_only():
    """The conversation does not run over descriptor 1."""
    async with in_process("close_output") as runtime:
        assert returned(await runtime.invoke(event())) == "done"
