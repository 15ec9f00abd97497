"""What a parent and its child say to each other over their socket. Loaded by the child too, so imports little.

parent → child   REQUEST header, request id, invoked ARN or nothing, trace id or nothing,
                 client context (JSON text or nothing), event (JSON text)
child → parent   ANSWER header, payload: once after Init, then once per request
"""

from __future__ import annotations

import struct
from typing import Final

REQUEST: Final = struct.Struct(">dHHHII")
"""Deadline in seconds on the machine's monotonic clock; lengths in bytes of what follows, in its order."""

ANSWER: Final = struct.Struct(">cII")
"""What it is; the child's peak memory in KiB as it sees it; length of the payload in bytes."""

INITIALIZED: Final = b"I"
INIT_FAILED: Final = b"F"
RETURNED: Final = b"R"
FAILED: Final = b"E"
TOO_LARGE: Final = b"L"
