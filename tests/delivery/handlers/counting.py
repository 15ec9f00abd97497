"""Imported by a child process: a handler whose module remembers how often it was called."""

import threading
from typing import Any

calls = 0


def fail_once(event: Any, context: object) -> None:
    """Raises at the first call of its environment, then lives on."""
    global calls
    calls += 1
    if calls == 1:
        raise ValueError("the first time")
    print(f"call {calls}")


def hang_once(event: Any, context: object) -> None:
    """Never ends at the first delivery of a message."""
    global calls
    calls += 1
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        threading.Event().wait()
    print(f"call {calls}")
