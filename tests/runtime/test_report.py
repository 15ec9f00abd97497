"""The lines around an invocation (INV-130..133) and what is billed (INV-150, 151)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eventmap.runtime import report


def test_inv_130_a_warm_report():
    """INV-130: fields in Lambda's order, a tab after each."""
    line = report.report("id-1", duration_s=0.001234, memory_size=128, max_memory_used_mb=33)

    assert line == (
        "REPORT RequestId: id-1\tDuration: 1.23 ms\tBilled Duration: 2 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 33 MB\t"
    )


def test_inv_130_a_cold_report_of_a_failure():
    """INV-130, INV-151: Init is told and billed; a failure has status and type."""
    line = report.report(
        "id-1",
        duration_s=0.0015,
        memory_size=128,
        max_memory_used_mb=33,
        init_duration_s=0.0987,
        status="error",
        error_type="Runtime.ExitError",
    )

    assert line.endswith(
        "Billed Duration: 101 ms\tMemory Size: 128 MB\tMax Memory Used: 33 MB\tInit Duration: 98.70 ms\t"
        "Status: error\tError Type: Runtime.ExitError\t"
    )


def test_inv_131_a_timeout_is_told_with_two_decimals_and_billed_exactly():
    """INV-131: the moment in UTC, and 3 s are 3000 ms."""
    line = report.report(
        "id-1", duration_s=3.0, memory_size=128, max_memory_used_mb=33, status="timeout", error_type="X"
    )

    assert report.timed_out(datetime(2026, 11, 22, 1, 2, 3, 45678, UTC), "id-1", 3) == (
        "2026-11-22T01:02:03.045Z id-1 Task timed out after 3.00 seconds"
    )
    assert "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t" in line
    assert line.endswith("\tStatus: timeout\t")


def test_inv_132_a_failed_init_has_a_line_of_its_own():
    """INV-132: phase, status and the type of the error."""
    assert report.init_report(10.00012, "init", "timeout") == (
        "INIT_REPORT Init Duration: 10000.12 ms\tPhase: init\tStatus: timeout"
    )
    assert report.init_report(0.1, "invoke", "error", "Runtime.ImportModuleError") == (
        "INIT_REPORT Init Duration: 100.00 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError"
    )


def test_inv_133_an_unhandled_exception_is_one_record():
    """INV-133: leading spaces become no-break spaces, so that log readers keep them."""
    record = report.unhandled("ValueError", "boom", ['  File "app.py", line 7, in handler\n    raise x\n'])

    assert record == (
        "[ERROR] ValueError: boom\nTraceback (most recent call last):\n"
        '\u00a0\u00a0File "app.py", line 7, in handler\n\u00a0\u00a0\u00a0\u00a0raise x'
    )


@pytest.mark.parametrize(
    ("duration_s", "init_s", "billed"),
    [(0, None, 1), (0.001, None, 1), (0.0010001, None, 2), (3.0, None, 3000), (0.1, 0.2, 300)],
)
def test_inv_150_and_151_billed_is_rounded_up_to_milliseconds(duration_s: float, init_s: float | None, billed: int):
    """INV-150, INV-151: at least 1 ms, Init included."""
    assert billed == report.billed_duration_ms(duration_s, init_s)
