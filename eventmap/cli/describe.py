"""What a target is — a handler or an App — without importing the user's code into this process.

The user's module is imported in a child process that has the environment its handler will have: what it reads at the
top of the module (a variable, the region of a client) is there, and a later reload finds nothing old.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from eventmap.cli.failure import ImportFailed
from eventmap.errors import ConfigurationError, EventmapError, TargetNotFound
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.mapping import EventSourceMapping
from eventmap.records import RESPONSE_TYPES_MARK
from eventmap.schedule import Schedule
from eventmap.stream_mapping import StreamMapping
from eventmap.subscription import S3Notification, SnsSubscription

if TYPE_CHECKING:
    import traceback
    from collections.abc import Callable
    from types import TracebackType

    from eventmap.app import AnyMapping

IMPORT_TIMEOUT_S: Final = 60.0
_IMPORTLIB: Final = f"{os.sep}importlib{os.sep}__init__.py"
_MAPPING_TAGS: Final[Mapping[str, Callable[..., AnyMapping]]] = {
    "queue": EventSourceMapping,
    "stream": StreamMapping,
    "topic": SnsSubscription,
    "bucket": S3Notification,
    "schedule": Schedule,
    "rule": EventRule,
    "route": HttpRoute,
}
_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True, slots=True)
class DescribedHandler:
    """A plain handler."""

    name: str  #: fit to be a function name
    response_types: tuple[str, ...]  #: what the handler says its answers are: an `each_record` one reports failures
    folder: str  #: where its code lives


@dataclass(frozen=True, slots=True)
class DescribedApp:
    """An App: its functions, and the mappings to them."""

    functions: tuple[Function, ...]
    mappings: tuple[AnyMapping, ...]
    folder: str
    is_inline: bool = False


Described = DescribedHandler | DescribedApp


def describe_here(target: str, isolation: str = "process") -> Described:
    """Import `target` into this process and describe it.

    Raises: TargetNotFound, ConfigurationError; ImportFailed for whatever the user's module raises.
    """
    from eventmap.app import App, default_name
    from eventmap.runtime.target import load_target

    try:
        found = load_target(target)
    except TargetNotFound:
        raise
    # Whatever the user's module raises, SystemExit included, is about the user's module.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _import_failed(target, error) from None
    folder = _folder(target)
    if isinstance(found, App):
        return _described_app(target, found, isolation, folder)
    if not callable(found):
        raise TargetNotFound(f"target {target!r} is of type {type(found).__name__}: neither a handler nor an App")
    return DescribedHandler(default_name(found), _response_types(found), folder)


async def describe_elsewhere(target: str, environment: Mapping[str, str]) -> Described:
    """Describe `target` as seen by a child process with the given environment variables.

    Raises: as `describe_here`.
    """
    import subprocess

    import anyio

    from eventmap.cli.python import python
    from eventmap.runtime.error_object import exit_reason

    try:
        with anyio.fail_after(IMPORT_TIMEOUT_S):
            ended = await anyio.run_process(
                python("eventmap.cli.describe", target),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                check=False,
                start_new_session=True,
            )
    except TimeoutError:
        raise ImportFailed(target, f"it takes more than {IMPORT_TIMEOUT_S:.0f} s", "") from None
    try:
        return _from_document(target, json.loads(ended.stdout))
    except ValueError:
        if isinstance(sys.exception(), EventmapError):
            raise
        raise ImportFailed(target, exit_reason(ended.returncode), "") from None


def main(arguments: list[str]) -> None:
    """The child: print the description, and nothing the user's module prints."""
    answer = os.dup(1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    try:
        document = _document(describe_here(arguments[0]))
    except ImportFailed as error:
        document = {"import_failed": str(error).partition(" could not be imported: ")[2], "trace": error.trace}
    except TargetNotFound as error:
        document = {"not_found": str(error)}
    except EventmapError as error:
        document = {"refused": str(error)}
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        json.dump(document, file)
    os._exit(0)  # threads and exit handlers of the user's module have nothing to do here


def _described_app(target: str, app: Any, isolation: str, folder: str) -> DescribedApp:
    from eventmap.runtime.target import target_of

    functions: list[Function] = []
    for function in app.functions(isolation=isolation):
        handler = function.handler
        if isolation == "process" and not isinstance(handler, str):
            function = replace(function, handler=_same_file(target, handler, target_of(handler)))
        functions.append(function)
    return DescribedApp(tuple(functions), app.mappings(), folder)


def _same_file(target: str, handler: object, found: str) -> str:
    """A handler in the file a target names is found there by path, not by a module name others do not know."""
    from eventmap.runtime import loading

    module = loading.split(target)[0]
    file = getattr(sys.modules.get(getattr(handler, "__module__", "")), "__file__", None)
    path = os.path.abspath(module if module.endswith(".py") else f"{module}.py")
    if loading.is_file(module) and file is not None and os.path.abspath(file) == path:
        return f"{module}:{found.rpartition(':')[2]}"
    return found


def _response_types(handler: object) -> tuple[str, ...]:
    return tuple(map(str, getattr(handler, RESPONSE_TYPES_MARK, ())))


def _folder(target: str) -> str:
    """The top folder of the code a target belongs to: of its file, or of its outermost package."""
    from eventmap.runtime import loading

    module = loading.split(target)[0]
    if loading.is_file(module):
        return os.path.dirname(os.path.abspath(module))
    outermost = sys.modules[module.partition(".")[0]]
    paths = list(getattr(outermost, "__path__", ()))
    return os.path.abspath(paths[0] if paths else os.path.dirname(getattr(outermost, "__file__", None) or "."))


def _import_failed(target: str, error: BaseException) -> ImportFailed:
    import traceback

    frames = traceback.StackSummary.from_list(_user_frames(error.__traceback__))
    only = "".join(traceback.format_exception_only(error))
    head = "Traceback (most recent call last):\n" if frames else ""
    message = str(error) if isinstance(error, EventmapError) else only.strip().splitlines()[-1]
    return ImportFailed(target, message, f"{head}{''.join(frames.format())}{only}")


def _user_frames(start: TracebackType | None) -> list[traceback.FrameSummary]:
    import traceback

    return [
        frame
        for frame in traceback.extract_tb(start)
        if not frame.filename.startswith(("<frozen", _OURS)) and not frame.filename.endswith(_IMPORTLIB)
    ]


def _document(described: Described) -> dict[str, Any]:
    if isinstance(described, DescribedHandler):
        return {"handler": asdict(described)}
    tags = {kind: tag for tag, kind in _MAPPING_TAGS.items()}
    return {
        "app": {
            "functions": [asdict(function) for function in described.functions],
            "mappings": [{"tag": tags[type(mapping)], "fields": _fields_of(mapping)} for mapping in described.mappings],
            "folder": described.folder,
        }
    }


def _fields_of(mapping: AnyMapping) -> dict[str, Any]:
    """What it is made of, as JSON has it. Raises: ConfigurationError for what cannot leave the process."""
    found: dict[str, Any] = {}
    for field in fields(mapping):
        if not field.init:
            continue
        value = getattr(mapping, field.name)
        if callable(value):
            from eventmap.app import source_of

            raise ConfigurationError(
                f"{source_of(mapping)!r}: {field.name} is a function, which only --isolation inline can call; "
                "a table of what it would answer can be given instead"
            )
        found[field.name] = value.isoformat() if isinstance(value, datetime) else value
    return found


def _from_document(target: str, document: dict[str, Any]) -> Described:
    match document:
        case {"handler": {"name": name, "response_types": response_types, "folder": folder}}:
            return DescribedHandler(name, tuple(response_types), folder)
        case {"app": {"functions": functions, "mappings": mappings, "folder": folder}}:
            return DescribedApp(
                tuple(Function(**function) for function in functions),
                tuple(_MAPPING_TAGS[mapping["tag"]](**mapping["fields"]) for mapping in mappings),
                folder,
            )
        case {"import_failed": reason, "trace": trace}:
            raise ImportFailed(target, reason, trace)
        case {"not_found": message}:
            raise TargetNotFound(message)
    raise ConfigurationError(document["refused"])
