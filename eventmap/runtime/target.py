"""TARGET, as users type it, to an object and back."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from typing import Any

from eventmap.errors import ConfigurationError, TargetNotFound
from eventmap.runtime import loading

_FORM = "expected module:attribute or path/to/file.py:attribute"


def load_target(target: str) -> object:
    """Import the object a target leads to; the attribute may be dotted and the current folder is importable.

    Raises: TargetNotFound; whatever the user's module raises while it is imported, untouched.
    """
    try:
        return loading.load(target)
    except loading.MalformedTarget:
        raise TargetNotFound(f"target {target!r} is not of the form needed: {_FORM}") from None
    except loading.ModuleMissing as error:
        raise TargetNotFound(
            f"target {target!r}: there is no {_kind(error.module)} {error.module!r}"
            f"{_near(_last(error.module), _neighbours(error.module))}; {_FORM}, seen from {os.getcwd()}"
        ) from None
    except loading.AttributeMissing as error:
        owner = getattr(error.owner, "__name__", type(error.owner).__name__)
        names = [name for name in dir(error.owner) if not name.startswith("_")]
        raise TargetNotFound(
            f"target {target!r}: {owner!r} was imported, but has no attribute {error.missing!r}"
            f"{_near(error.missing, names)}; {_FORM}"
        ) from None


def target_of(handler: Callable[..., Any]) -> str:
    """The target that leads to a callable, for a process that must import it anew.

    Raises: ConfigurationError if none does: a lambda, a closure, a bound method, a partial, a callable object.
    """
    module_name, name = getattr(handler, "__module__", None), getattr(handler, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(name, str) or "<" in name:
        raise _unreachable(handler)
    found: object = sys.modules.get(module_name)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not handler:
        raise _unreachable(handler)
    return f"{_main_module() if module_name == '__main__' else module_name}:{name}"


def task_root(target: str) -> str:
    """The folder the user's code lives in: a named file's own, otherwise the current one (INV-115)."""
    module, _ = loading.split(target)
    return os.path.dirname(os.path.abspath(module)) if loading.is_file(module) else os.getcwd()


def lambda_handler_name(target: str) -> str:
    """A target the way Lambda writes handlers: `path/module.attribute`."""
    module, attribute = loading.split(target)
    return f"{module.removesuffix('.py')}.{attribute}"


def _main_module() -> str:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:  # python -m package.module
        return str(spec.name)
    file = getattr(main, "__file__", None)
    if file is None:
        raise ConfigurationError(
            "a handler defined in an interactive session cannot be imported by another process; "
            'put it into a file, or use isolation="inline"'
        )
    return os.path.abspath(str(file))


def _unreachable(handler: object) -> ConfigurationError:
    return ConfigurationError(
        f"handler {handler!r} cannot be imported by another process: it must be a function found at module:qualname, "
        'not a lambda, closure, method or partial; name it as "module:attribute", or use isolation="inline"'
    )


def _kind(module: str) -> str:
    return "file" if loading.is_file(module) else "module"


def _last(module: str) -> str:
    return os.path.basename(module) if loading.is_file(module) else module.rpartition(".")[2]


def _neighbours(module: str) -> list[str]:
    if loading.is_file(module):
        folder = os.path.dirname(os.path.abspath(module))
    else:
        folder = os.path.join(os.getcwd(), *module.split(".")[:-1])
    try:
        entries = os.listdir(folder)
    except OSError:
        return []
    if loading.is_file(module):
        return [entry for entry in entries if entry.endswith(".py")]
    return [entry.removesuffix(".py") for entry in entries if not entry.startswith((".", "_"))]


def _near(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=3)
    return f" (did you mean {' or '.join(repr(each) for each in close)}?)" if close else ""
