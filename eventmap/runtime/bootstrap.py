"""The script a child process runs: `bootstrap.py CONTROL_FD LIFELINE_FD TARGET SYS_PATH…`.

It loads its siblings as a package under a private name, so that eventmap itself is never imported: the child starts
fast, and a handler that imports eventmap gets the installed one, untouched.
"""

import importlib
import os
import sys
from types import ModuleType


def main() -> None:
    control, lifeline, target, *path = sys.argv[1:]
    sys.argv[1:] = [target]
    sys.path[:] = path  # ours would put this folder first, and `import context` in user code would find our file
    package = ModuleType("_eventmap_child")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules[package.__name__] = package
    importlib.import_module("_eventmap_child.child").serve(int(control), int(lifeline), target)


if __name__ == "__main__":
    main()
