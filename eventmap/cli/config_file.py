"""eventmap.toml: several functions and their mappings in one file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from eventmap.cli.failure import Misuse, reason_of
from eventmap.errors import EventmapError
from eventmap.function import Function
from eventmap.mapping import NOT_FOR_SQS, NOT_HONOURED, EventSourceMapping, mapping_of

_PLACES: Final = {"endpoint_url": str, "region": str, "profile": str, "local": bool}
_FUNCTION_KEYS: Final = {field.name for field in fields(Function)} - {"function_name"}
_MAPPING_KEYS: Final = {field.name for field in fields(EventSourceMapping)} - {"function_name", "event_source_arn"}
_KINDS: Final = {str: "text", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class ConfiguredFunction:
    """One `[functions.NAME]` table, already checked."""

    name: str
    target: str
    settings: Mapping[str, Any]  #: fields of `Function` but its name and handler
    mappings: tuple[Mapping[str, Any], ...]  #: fields of `EventSourceMapping` but its function


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file says; None = nothing."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    local: bool = False
    functions: tuple[ConfiguredFunction, ...] = ()


def read_config(path: str) -> ConfigFile:
    """Read and check the file. Raises: Misuse naming it, the table, and what is wrong there."""
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise Misuse(f"the configuration cannot be read: {reason_of(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misuse(f"{path} is not TOML: {error}") from None
    _refuse_unknown(document, {*_PLACES, "functions"}, path, "at the top")
    for key, kind in _PLACES.items():
        if key in document and not isinstance(document[key], kind):
            raise Misuse(f"{path}: {key} must be {_KINDS[kind]}, not {document[key]!r}")
    if document.get("local") and ("endpoint_url" in document or "profile" in document):
        raise Misuse(f"{path}: local brings its own endpoint and credentials: leave out endpoint_url and profile")
    tables = document.pop("functions", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise Misuse(f"{path}: functions must be tables: [functions.NAME]")
    return ConfigFile(**document, functions=tuple(_function(path, name, table) for name, table in tables.items()))


def _function(path: str, name: str, table: dict[str, Any]) -> ConfiguredFunction:
    where = f"[functions.{name}]"
    queues = table.pop("sqs", [])
    _refuse_unknown(table, {*_FUNCTION_KEYS, "sqs"}, path, f"in {where}")
    target = table.pop("handler", None)
    if not isinstance(target, str):
        raise Misuse(f'{path}: {where} needs handler = "module:attribute"')
    if not isinstance(queues, list) or not all(isinstance(queue, dict) for queue in queues):
        raise Misuse(f"{path}: the queues of {where} are written as [[functions.{name}.sqs]], with double brackets")
    if not queues:
        raise Misuse(f'{path}: {where} has no queue: add [[functions.{name}.sqs]] with queue = "NAME"')
    settings = {"isolation": "process", **table}
    try:
        Function(handler=target, function_name=name, **settings)
    except EventmapError as error:
        raise Misuse(f"{path}: {where}: {error}") from None
    return ConfiguredFunction(name, target, settings, tuple(_mapping(path, name, queue) for queue in queues))


def _mapping(path: str, name: str, table: dict[str, Any]) -> dict[str, Any]:
    where = f"[[functions.{name}.sqs]]"
    queue = table.pop("queue", None)
    if not isinstance(queue, str):
        raise Misuse(f'{path}: {where} needs queue = "NAME", a queue\'s name, URL or ARN')
    _refuse_unknown(table, {*_MAPPING_KEYS, *NOT_FOR_SQS, *NOT_HONOURED, "queue"}, path, f"in {where}")
    mapping = {"event_source_arn": queue, **table}
    try:
        mapping_of({**mapping, "function_name": name})
    except EventmapError as error:
        raise Misuse(f"{path}: {where}: {error}") from None
    return mapping


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], path: str, where: str) -> None:
    known = sorted(known)
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise Misuse(f"{path}: {key!r} is not known {where}; {hint}")
