"""Follow `module:attribute` or `path/to/file.py:attribute` to an object. Loaded by the child too, so imports little."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType


class MalformedTarget(ValueError):
    """Raised when a target has no `:`, or nothing on one side of it."""


class ModuleMissing(ImportError):
    """Raised when the module or file itself does not exist; not when one that it imports does not."""

    def __init__(self, module: str, reason: str) -> None:
        super().__init__(reason)
        self.module = module


class AttributeMissing(AttributeError):
    """Raised when the module was imported and has no such attribute."""

    def __init__(self, module: str, attribute: str, owner: object, missing: str) -> None:
        super().__init__(f"{missing!r} is missing in {module!r}")
        self.module = module
        self.attribute = attribute
        self.owner = owner  #: the last object that was found on the way
        self.missing = missing  #: the first name that was not


def split(target: str) -> tuple[str, str]:
    """Cut a target into its module and its attribute, which may be dotted.

    Raises: MalformedTarget.
    """
    module, colon, attribute = target.rpartition(":")
    if not colon or not module or not all(attribute.split(".")):
        raise MalformedTarget(target)
    return module, attribute


def is_file(module: str) -> bool:
    """Whether the left side of a target names a file rather than a module."""
    return module.endswith(".py") or "/" in module or os.sep in module


def load(target: str) -> object:
    """Import what a target leads to. The current folder is importable, and so is the folder of a named file.

    Whatever the user's module itself raises passes through untouched.
    Raises: MalformedTarget, ModuleMissing, AttributeMissing.
    """
    module_name, attribute = split(target)
    module = _load_file(module_name) if is_file(module_name) else _load_module(module_name)
    found: object = module
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise AttributeMissing(module_name, attribute, found, name) from None
    return found


def _load_module(name: str) -> ModuleType:
    _make_importable(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A missing parent package means the module is missing; any other name is an import inside the user's code.
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise ModuleMissing(name, str(error)) from None
        raise


def _load_file(path: str) -> ModuleType:
    full = os.path.abspath(path if path.endswith(".py") else path + ".py")
    if not os.path.isfile(full):
        raise ModuleMissing(path, f"no such file: {full}")
    _make_importable(os.path.dirname(full))
    name = os.path.basename(full)[: -len(".py")]
    known = sys.modules.get(name)
    if known is not None:
        if os.path.abspath(getattr(known, "__file__", None) or "") == full:
            return known
        name = f"{name}@{full}"  # another module holds the plain name; a second file must not replace it
        if name in sys.modules:
            return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise ModuleMissing(path, f"not a Python file: {full}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:  # half a module must not be found by the next attempt, whatever stopped it
        sys.modules.pop(name, None)
        raise
    return module


def _make_importable(folder: str) -> None:
    if folder not in sys.path and not (folder == os.getcwd() and "" in sys.path):
        sys.path.insert(0, folder)
