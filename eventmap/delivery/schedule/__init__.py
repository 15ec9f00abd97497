"""Schedules at work: the clockwork that begins their runs, and what it asks of its neighbours."""
