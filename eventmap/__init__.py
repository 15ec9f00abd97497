"""eventmap runs AWS Lambda handlers anywhere: queues and streams polled, failures settled exactly as Lambda would.

The names are loaded when they are first used, so that a command pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventmap.app import App as App
    from eventmap.errors import EventmapError as EventmapError
    from eventmap.event_rule import EventRule as EventRule
    from eventmap.function import Function as Function
    from eventmap.http_route import HttpRoute as HttpRoute
    from eventmap.mapping import EventSourceMapping as EventSourceMapping
    from eventmap.records import each_record as each_record
    from eventmap.rules.pattern import EventPattern as EventPattern
    from eventmap.schedule import Schedule as Schedule
    from eventmap.service.settings import HttpApiSettings as HttpApiSettings
    from eventmap.service.settings import HttpSettings as HttpSettings
    from eventmap.stream_mapping import StreamMapping as StreamMapping
    from eventmap.subscription import S3Notification as S3Notification
    from eventmap.subscription import SnsSubscription as SnsSubscription

__version__ = "0.1.0"
__all__ = [
    "App",
    "EventPattern",
    "EventRule",
    "EventSourceMapping",
    "EventmapError",
    "Function",
    "HttpApiSettings",
    "HttpRoute",
    "HttpSettings",
    "S3Notification",
    "Schedule",
    "SnsSubscription",
    "StreamMapping",
    "__version__",
    "each_record",
]

_HOMES = {
    "App": "eventmap.app",
    "EventPattern": "eventmap.rules.pattern",
    "EventRule": "eventmap.event_rule",
    "EventSourceMapping": "eventmap.mapping",
    "EventmapError": "eventmap.errors",
    "Function": "eventmap.function",
    "HttpApiSettings": "eventmap.service.settings",
    "HttpRoute": "eventmap.http_route",
    "HttpSettings": "eventmap.service.settings",
    "Schedule": "eventmap.schedule",
    "S3Notification": "eventmap.subscription",
    "SnsSubscription": "eventmap.subscription",
    "StreamMapping": "eventmap.stream_mapping",
    "each_record": "eventmap.records",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
