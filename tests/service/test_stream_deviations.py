"""The list of deviations itself."""

from __future__ import annotations

from . import test_report_scenarios, test_stream_scenarios, test_table_scenarios
from .stream_deviations import STREAM_DEVIATIONS


def test_every_stream_deviation_belongs_to_a_test() -> None:
    """An entry for a test that was renamed would never be checked again."""
    modules = (test_report_scenarios, test_stream_scenarios, test_table_scenarios)
    tests = {name.removeprefix("test_") for module in modules for name in vars(module) if name.startswith("test_")}

    assert [case for _, case in STREAM_DEVIATIONS if case not in tests] == []
