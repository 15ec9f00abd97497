"""How a command starts another Python process of its own."""

from __future__ import annotations

import json
import sys
from typing import Final

# -P: a module in the current folder must not stand in for one of ours before the search path is as it is here.
_START: Final = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "import importlib; importlib.import_module(sys.argv[2]).main(sys.argv[3:])"
)


def python(module: str, *arguments: str) -> list[str]:
    """The command that calls `main(arguments)` of one of our modules, with this process' module search path."""
    return [sys.executable, "-P", "-X", "utf8", "-c", _START, json.dumps(sys.path), module, *arguments]
