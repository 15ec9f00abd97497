"""A handler with the imports that many have: what a cold start costs includes them."""

from __future__ import annotations

import datetime
import json
import logging
import os
import re
import uuid
from typing import Any

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[a-z]+")


def handler(event: Any, context: Any) -> dict[str, Any]:
    _log.debug("received %s", json.dumps(event))
    return {
        "at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).isoformat(),
        "id": str(uuid.UUID(int=0)),
        "region": os.environ.get("AWS_REGION", ""),
        "named": bool(_NAME.match("handler")),
    }
