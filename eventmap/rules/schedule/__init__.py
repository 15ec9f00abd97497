"""Schedules: what an expression means, when it is due, and what a run tells its function (SRC-50..84)."""
