"""The composition root: functions and mappings in, one running service out. The only room that names concrete ones.

settings ──▶ connections ──▶ queues, streams ─▶ ┐
                   └──▶ topics, buckets, server ─▶ pushes ─┴─▶ running: one task group, until the drain
"""

from __future__ import annotations

from eventmap.service.running import Running
from eventmap.service.settings import HttpApiSettings, HttpSettings, Settings, Silent
from eventmap.service.start import running
from eventmap.service.streams import open_application, recorded_functions

__all__ = [
    "HttpApiSettings",
    "HttpSettings",
    "Running",
    "Settings",
    "Silent",
    "open_application",
    "recorded_functions",
    "running",
]
