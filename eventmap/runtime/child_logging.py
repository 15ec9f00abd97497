"""The root logger as Lambda's Python runtime sets it up (INV-134). Loaded by the child only."""

from __future__ import annotations

import logging
import os
import sys
import time

current_request_id = ""
"""The request being run, "" during Init; the child runs one at a time."""


def install() -> None:
    """Give the root logger Lambda's handler; its level stays WARNING unless AWS_LAMBDA_LOG_LEVEL names another."""
    handler = _ToStandardOutput()
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(_add_request_id)
    root = logging.getLogger()
    root.addHandler(handler)
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(
        wanted := os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), wanted
    )
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)


class _ToStandardOutput(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            # A traceback is put behind the message's own newline and brings none.
            sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        # As every logging handler: a record that cannot be written must not fail the code that logged it.
        except Exception:
            self.handleError(record)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.aws_request_id = current_request_id
    return True
