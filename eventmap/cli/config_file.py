"""eventmap.toml: several functions, their mappings and the server in one file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from eventmap.cli.failure import Misuse, reason_of
from eventmap.cli.instant import epoch_seconds
from eventmap.cli.mappings import SOURCE_FIELDS, STREAM_KINDS, Kind, build_mapping
from eventmap.errors import EventmapError
from eventmap.event_rule import EventRule
from eventmap.function import Function
from eventmap.http_route import HttpRoute
from eventmap.mapping import NOT_FOR_SQS, NOT_HONOURED, EventSourceMapping
from eventmap.schedule import NOT_HONOURED as SCHEDULE_NOT_HONOURED
from eventmap.schedule import Schedule
from eventmap.shard import TRIM_HORIZON
from eventmap.stream_mapping import NOT_FOR_STREAMS, StreamMapping
from eventmap.subscription import NOT_FOR_FUNCTIONS, S3Notification, SnsSubscription

DEFAULT_PORT: Final = 9000

_TOP_KEYS: Final = {"endpoint_url": str, "region": str, "profile": str, "local": bool, "events": str}
_HTTP_KEYS: Final = {"port": int, "host": str, "public_url": str, "access_keys": dict, "allow_anonymous": bool}
_FUNCTION_KEYS: Final = {field.name for field in fields(Function)} - {"function_name"}
_GIVEN_OTHERWISE: Final = {"function_name", "event_source", *SOURCE_FIELDS.values()}
_QUEUE_KEYS: Final = {field.name for field in fields(EventSourceMapping)} - _GIVEN_OTHERWISE
_STREAM_KEYS: Final = {field.name for field in fields(StreamMapping)} - _GIVEN_OTHERWISE
_TOPIC_KEYS: Final = {field.name for field in fields(SnsSubscription)} - _GIVEN_OTHERWISE
_SCHEDULE_KEYS: Final = {field.name for field in fields(Schedule) if field.init} - _GIVEN_OTHERWISE
_RULE_KEYS: Final = {field.name for field in fields(EventRule) if field.init} - _GIVEN_OTHERWISE
_ROUTE_KEYS: Final = {field.name for field in fields(HttpRoute)} - _GIVEN_OTHERWISE
_BUCKET_KEYS: Final = {field.name for field in fields(S3Notification)} - _GIVEN_OTHERWISE


@dataclass(frozen=True, slots=True)
class _SourceTable:
    """How the sources of a kind are written."""

    key: str  #: what names the source in its table
    what: str
    known: frozenset[str]  #: other keys, those that are refused with a reason included


_SOURCES: Final[Mapping[Kind, _SourceTable]] = {
    "sqs": _SourceTable(
        "queue",
        "a queue's name, URL or ARN",
        frozenset(_QUEUE_KEYS | NOT_FOR_SQS.keys() | NOT_HONOURED.keys()),
    ),
    "kinesis": _SourceTable(
        "stream",
        "a Kinesis stream's name or ARN",
        frozenset(_STREAM_KEYS | NOT_FOR_STREAMS.keys() | NOT_HONOURED.keys()),
    ),
    "dynamodb": _SourceTable(
        "table",
        "a table's name or ARN, or its stream's ARN",
        frozenset(_STREAM_KEYS | NOT_FOR_STREAMS.keys() | NOT_HONOURED.keys()),
    ),
    "sns": _SourceTable("topic", "a topic's name or ARN", frozenset(_TOPIC_KEYS | NOT_FOR_FUNCTIONS.keys())),
    "s3": _SourceTable("bucket", "a bucket's name or ARN", frozenset(_BUCKET_KEYS)),
    "schedule": _SourceTable(
        "expression", "such as rate(5 minutes)", frozenset(_SCHEDULE_KEYS | SCHEDULE_NOT_HONOURED.keys())
    ),
    "event": _SourceTable("pattern", "an event pattern, as text or as a table", frozenset(_RULE_KEYS)),
    "http": _SourceTable("route", "such as GET /orders/{id}", frozenset(_ROUTE_KEYS)),
}
_KINDS: Final = {str: "text", bool: "true or false", int: "a whole number", dict: "a table"}


@dataclass(frozen=True, slots=True)
class ConfiguredMapping:
    """One table of `[[functions.NAME.KIND]]`, already checked."""

    kind: Kind
    settings: Mapping[str, Any]  #: fields of the mapping but its function and its kind of source


@dataclass(frozen=True, slots=True)
class ConfiguredFunction:
    """One `[functions.NAME]` table, already checked."""

    name: str
    target: str
    settings: Mapping[str, Any]  #: fields of `Function` but its name and handler
    mappings: tuple[ConfiguredMapping, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredHttp:
    """The `[http]` table; None = nothing was said."""

    port: int = DEFAULT_PORT
    host: str | None = None
    public_url: str | None = None
    access_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_anonymous: bool = False


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What the file says; None = nothing."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None
    local: bool = False
    events: str | None = None
    http: ConfiguredHttp | None = None
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
    http = _http(path, document.pop("http", None))
    _refuse_unknown(document, {*_TOP_KEYS, "http", "functions"}, path, "at the top")
    _check_kinds(document, _TOP_KEYS, path, "")
    if document.get("local") and ("endpoint_url" in document or "profile" in document):
        raise Misuse(f"{path}: local brings its own endpoint and credentials: leave out endpoint_url and profile")
    tables = document.pop("functions", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise Misuse(f"{path}: functions must be tables: [functions.NAME]")
    functions = tuple(_function(path, name, table) for name, table in tables.items())
    return ConfigFile(**document, http=http, functions=functions)


def _http(path: str, table: Any) -> ConfiguredHttp | None:
    if table is None:
        return None
    if not isinstance(table, dict):
        raise Misuse(f"{path}: http must be a table: [http]")
    _refuse_unknown(table, _HTTP_KEYS, path, "in [http]")
    _check_kinds(table, _HTTP_KEYS, path, "[http]: ")
    if not all(isinstance(secret, str) for secret in table.get("access_keys", {}).values()):
        raise Misuse(f'{path}: [http]: access_keys must be {{ACCESS_KEY_ID = "SECRET"}}')
    return ConfiguredHttp(**table)


def _function(path: str, name: str, table: dict[str, Any]) -> ConfiguredFunction:
    where = f"[functions.{name}]"
    sources: dict[Kind, Any] = {kind: table.pop(kind, []) for kind in _SOURCES}
    _refuse_unknown(table, {*_FUNCTION_KEYS, *_SOURCES}, path, f"in {where}")
    target = table.pop("handler", None)
    if not isinstance(target, str):
        raise Misuse(f'{path}: {where} needs handler = "module:attribute"')
    for kind, tables in sources.items():
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            raise Misuse(
                f"{path}: the sources of {where} are written as [[functions.{name}.{kind}]], with double brackets"
            )
    settings = {"isolation": "process", **table}
    try:
        Function(handler=target, function_name=name, **settings)
    except EventmapError as error:
        raise Misuse(f"{path}: {where}: {error}") from None
    mappings = [_mapping(path, name, kind, each) for kind, tables in sources.items() for each in tables]
    return ConfiguredFunction(name, target, settings, tuple(mappings))


def _mapping(path: str, name: str, kind: Kind, table: dict[str, Any]) -> ConfiguredMapping:
    where, shape = f"[[functions.{name}.{kind}]]", _SOURCES[kind]
    source = table.pop(shape.key, None)
    if not isinstance(source, str) and not (kind == "event" and isinstance(source, dict)):
        raise Misuse(f'{path}: {where} needs {shape.key} = "NAME", {shape.what}')
    _refuse_unknown(table, {*shape.known, shape.key}, path, f"in {where}")
    timestamp = table.get("starting_position_timestamp")
    if timestamp is not None and not isinstance(timestamp, bool | int | float):
        table["starting_position_timestamp"] = epoch_seconds(
            str(timestamp), f"{path}: {where}: starting_position_timestamp"
        )
    settings = {SOURCE_FIELDS[kind]: source, **table}
    try:
        # With --local it may be left out, which is known when the command line has been looked at.
        position = {"starting_position": TRIM_HORIZON} if kind in STREAM_KINDS else {}
        build_mapping(kind, {**position, **settings, "function_name": name})
    except EventmapError as error:
        raise Misuse(f"{path}: {where}: {error}") from None
    return ConfiguredMapping(kind, settings)


def _check_kinds(table: Mapping[str, Any], kinds: Mapping[str, type], path: str, where: str) -> None:
    for key, kind in kinds.items():
        value = table.get(key)
        if key in table and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            # A value of [http] may be a secret.
            shown = "" if where else f", not {value!r}"
            raise Misuse(f"{path}: {where}{key} must be {_KINDS[kind]}{shown}")


def _refuse_unknown(table: Mapping[str, Any], known: Iterable[str], path: str, where: str) -> None:
    known = sorted(known)
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise Misuse(f"{path}: {key!r} is not known {where}; {hint}")
