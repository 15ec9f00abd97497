"""What a clockwork counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ScheduleStatistics:
    """Live counters, from the start of the process."""

    runs: int = 0  #: begun here
    repeated: int = 0  #: of those, known already: they had been begun before a crash
    elsewhere: int = 0  #: begun by another worker of the fleet
    misfires: int = 0  #: times that missed runs were found, however many they were
    errors: int = 0  #: runs that could not be begun or recorded, each try counted
    late_s: float = 0.0  #: how long after its moment the last run was begun
