"""Its first import in a folder fails, the second succeeds."""

import os
import pathlib

marker = pathlib.Path(os.environ["MARKER"])
if not marker.exists():
    marker.touch()
    raise RuntimeError("first time")


def handler(event, context):
    return "second time"
