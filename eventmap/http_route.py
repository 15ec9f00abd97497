"""HttpRoute: what ties a method and a path to one function, validated once."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.function import Function

PayloadFormat = Literal["2.0", "1.0", "url", "alb"]
InvokeMode = Literal["BUFFERED", "RESPONSE_STREAM"]
Authorize = Callable[[Any], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
"""Asked with the event; answers what `requestContext.authorizer` is to be, or None: the request is refused with 403."""

DEFAULT: Final = "$default"
METHODS: Final = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

_FORMAT_NAMES: Final = {"2.0": "HTTP API", "1.0": "REST API", "url": "function URL", "alb": "load balancer"}
_TIMEOUTS_S: Final = {"2.0": 30.0, "1.0": 29.0, "alb": 60.0}
_LONGEST_S: Final = {"2.0": 30.0, "1.0": 300.0, "alb": 4000.0}
_SHORTEST_S: Final = 0.05
_CORS: Final[Mapping[str, type]] = {
    "AllowCredentials": bool,
    "AllowHeaders": list,
    "AllowMethods": list,
    "AllowOrigins": list,
    "ExposeHeaders": list,
    "MaxAge": int,
}
_LONGEST_MAX_AGE_S: Final = 86_400
_STAGE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE: Final = re.compile(r"\w+", re.ASCII)
_VARIABLE_VALUE: Final = re.compile(r"[A-Za-z0-9-._~:/?#&=,]+")
_PARAMETER: Final = re.compile(r"\{([\w.:$-]+)(\+?)\}", re.ASCII)
_PLAIN: Final = re.compile(r"[^{}?#\s\x00-\x20\x7f]+")
_MEDIA_TYPE: Final = re.compile(r"[\w.+*-]+/[\w.+*-]+", re.ASCII)
_LINE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRoute:
    """Requests that invoke a function and are answered by it. AWS' names. Raises: InvalidParameterValue."""

    route: str
    """`GET /orders/{id}`, `ANY /files/{path+}`, or `$default`: whatever no other route takes."""

    function_name: str

    payload_format: PayloadFormat = "2.0"
    """The event's shape, and with it how answers are read and errors told: `2.0` as an HTTP API, `1.0` as a REST API,
    `url` as a function URL, `alb` as an Application Load Balancer."""

    stage: str = DEFAULT
    """A named stage is the first segment of every path, as on AWS' own domain names; `$default` has none. Only of 2.0
    and 1.0."""

    stage_variables: Mapping[str, str] = field(default_factory=dict)
    """`stageVariables` of the event; only of 2.0 and 1.0."""

    cors: Mapping[str, Any] | None = None
    """AWS' AllowCredentials, AllowHeaders, AllowMethods, AllowOrigins, ExposeHeaders, MaxAge (seconds): preflights are
    answered here, and the handler's own headers of CORS replaced. Only of 2.0 and url; None = OPTIONS is a method like
    any other."""

    authorizer: Mapping[str, Any] | Authorize | None = None
    """`requestContext.authorizer` of every request, or who decides it by the event; None = there is none.
    Not of alb."""

    binary_media_types: Sequence[str] = ()
    """Only of 1.0: bodies of these types are base64 in the event, and base64 answers are decoded for clients that
    accept them (SRC-94). The other formats go by the content type alone."""

    timeout_s: float | None = None
    """How long the client waits, seconds; the function itself runs on. None = 30 of 2.0 (0.05..30), 29 of 1.0
    (0.05..300), 60 of alb (1..4,000). A function URL waits as long as the function may run, and takes none."""

    invoke_mode: InvokeMode = "BUFFERED"
    """`RESPONSE_STREAM`, only of url: what an `async` generator yields is sent as it comes (SRC-102)."""

    multi_value_headers: bool = False
    """Only of alb: `multiValueHeaders` and `multiValueQueryStringParameters` replace the single ones (SRC-103)."""

    def __post_init__(self) -> None:
        if self.payload_format not in get_args(PayloadFormat):
            raise InvalidParameterValue(
                f"payload_format {self.payload_format!r} of route {self.route!r} is unknown; "
                f"choose one of {', '.join(get_args(PayloadFormat))}"
            )
        if not _is_text(self.route):
            raise InvalidParameterValue(f"route must be a string such as 'GET /orders/{{id}}', not {self.route!r}")
        if self.route != DEFAULT:
            _check_path(self.route, self.method, self.path)
        self._check_stage()
        self._check_media_types()
        self._check_timeout()
        if self.cors is not None:
            self._only_of("cors", "2.0", "url")
            _check_cors(self.route, self.cors)
        if self.authorizer is not None:
            self._only_of("authorizer", "2.0", "1.0", "url")
            if not _is_table(self.authorizer) and not callable(self.authorizer):
                self._refuse("authorizer must be a table or a function of the event")
        if self.invoke_mode not in get_args(InvokeMode):
            self._refuse(f"invoke_mode {self.invoke_mode!r} is unknown; choose BUFFERED or RESPONSE_STREAM")
        if self.invoke_mode == "RESPONSE_STREAM":
            self._only_of("invoke_mode RESPONSE_STREAM", "url")
        if not _is_bool(self.multi_value_headers):
            self._refuse(f"multi_value_headers must be true or false, not {self.multi_value_headers!r}")
        if self.multi_value_headers:
            self._only_of("multi_value_headers", "alb")

    @property
    def method(self) -> str:
        """`ANY` of `$default` too."""
        return "ANY" if self.route == DEFAULT else self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """As it was written, parameters included, without the stage; `$default` of that."""
        return DEFAULT if self.route == DEFAULT else self.route.partition(" ")[2]

    @property
    def patience_s(self) -> float | None:
        """How long a client waits; None = as long as the function may run."""
        return _TIMEOUTS_S.get(self.payload_format) if self.timeout_s is None else self.timeout_s

    def _check_stage(self) -> None:
        if self.stage != DEFAULT:
            self._only_of("stage", "2.0", "1.0")
            if not isinstance(self.stage, str) or not _STAGE.fullmatch(self.stage):
                self._refuse(f"stage {self.stage!r} must be $default, or 1..128 letters, digits, '-' and '_'")
        if not _is_table(self.stage_variables):
            self._refuse("stage_variables must be a table of strings")
        for name, value in self.stage_variables.items():
            self._only_of("stage_variables", "2.0", "1.0")
            if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
                self._refuse(f"stage variable {name!r} must be named with letters, digits and '_'")
            if not isinstance(value, str) or not _VARIABLE_VALUE.fullmatch(value):
                self._refuse(f"stage variable {name} may hold letters, digits and any of -._~:/?#&=, only")

    def _check_media_types(self) -> None:
        if not _is_list(self.binary_media_types):
            self._refuse(f"binary_media_types must be a list, not {self.binary_media_types!r}")
        for media_type in self.binary_media_types:
            self._only_of("binary_media_types", "1.0")
            if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
                self._refuse(f"binary media type {media_type!r} must be such as image/png, image/* or */*")

    def _check_timeout(self) -> None:
        seconds = self.timeout_s
        if seconds is None:
            return
        self._only_of("timeout_s", "2.0", "1.0", "alb")
        low, high = 1.0 if self.payload_format == "alb" else _SHORTEST_S, _LONGEST_S[self.payload_format]
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not low <= seconds <= high:
            self._refuse(f"timeout_s must be {low:g}..{high:g} seconds, not {seconds!r}")

    def _only_of(self, setting: str, *formats: PayloadFormat) -> None:
        if self.payload_format not in formats:
            names = " or ".join(f"{_FORMAT_NAMES[each]} (payload_format {each!r})" for each in formats)
            self._refuse(f"{setting} is of a {names} only, not of a {_FORMAT_NAMES[self.payload_format]}")

    def _refuse(self, why: str) -> None:
        raise InvalidParameterValue(f"route {self.route!r}: {why}")


def http_route_of(settings: Mapping[str, Any]) -> HttpRoute:
    """Build a route from named settings, as a decorator or a configuration file has them.

    Raises: InvalidParameterValue for a setting that is unknown or missing, saying which.
    """
    known = {each.name for each in fields(HttpRoute)}
    for name in settings:
        if name not in known:
            raise InvalidParameterValue(f"{name} is not a setting of a route; known are {', '.join(sorted(known))}")
    for name in ("route", "function_name"):
        if name not in settings:
            raise InvalidParameterValue(f"a route needs {name}")
    return HttpRoute(**settings)


def check_routes(routes: Sequence[HttpRoute]) -> None:
    """Refuse two routes that take the very same requests. Raises: ConfigurationError, naming both."""
    seen: dict[tuple[str, str, str], HttpRoute] = {}
    for each in routes:
        shape = _PARAMETER.sub(r"{\2}", each.path)
        other = seen.setdefault((each.stage, each.method, shape), each)
        if other is not each:
            raise ConfigurationError(
                f"route {other.route!r} of function {other.function_name!r} and route {each.route!r} of function "
                f"{each.function_name!r} take the same requests; change the method or the path of one, or remove it"
            )


def check_streams(routes: Sequence[HttpRoute], functions: Mapping[str, Function]) -> None:
    """Refuse a stream from a child process, which answers only when all of it is there. Raises: ConfigurationError.

    `functions` are by name; a route of one that is not among them is left alone.
    """
    for route in routes:
        function = functions.get(route.function_name)
        if route.invoke_mode == "RESPONSE_STREAM" and function is not None and function.isolation != "inline":
            raise ConfigurationError(
                f"route {route.route!r} streams, which function {function.function_name!r} cannot under "
                f'isolation="{function.isolation}"; give it isolation="inline", or the route invoke_mode="BUFFERED"'
            )


def parameter_in(segment: str) -> tuple[str, bool] | None:
    """The name in a path's segment that is a parameter, and whether it takes the rest; None = it is plain text."""
    match = _PARAMETER.fullmatch(segment)
    return None if match is None else (match[1], bool(match[2]))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _check_path(route: str, method: str, path: str) -> None:
    if method not in METHODS or not path.startswith("/"):
        raise InvalidParameterValue(
            f"route {route!r} is not of the form 'METHOD /path' or '$default'; methods are {', '.join(METHODS)}"
        )
    segments = path[1:].split("/")
    names = []
    for position, segment in enumerate(segments):
        parameter = parameter_in(segment)
        if parameter is None:
            if segment and not _PLAIN.fullmatch(segment):
                raise InvalidParameterValue(
                    f"route {route!r}: {segment!r} must be plain text, {{name}}, or {{name+}} as the last segment"
                )
            continue
        name, is_greedy = parameter
        if is_greedy and position < len(segments) - 1:
            raise InvalidParameterValue(f"route {route!r}: {{{name}+}} takes the rest of a path, so it must be last")
        if name in names:
            raise InvalidParameterValue(f"route {route!r} names {{{name}}} twice")
        names.append(name)


def _check_cors(route: str, cors: object) -> None:
    def refuse(why: str) -> None:
        raise InvalidParameterValue(f"route {route!r}: cors {why}")

    if not isinstance(cors, Mapping):
        refuse(f"must be a table, not {cors!r}")
        return
    for name, value in cors.items():
        kind = _CORS.get(name)
        if kind is None:
            refuse(f"has no member {name!r}; known are {', '.join(_CORS)}")
        elif kind is list:
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) and _LINE.fullmatch(v) for v in value):
                refuse(f"{name} must be a list of strings without spaces, not {value!r}")
        elif kind is bool:
            if not isinstance(value, bool):
                refuse(f"{name} must be true or false, not {value!r}")
        elif isinstance(value, bool) or not isinstance(value, int) or not -1 <= value <= _LONGEST_MAX_AGE_S:
            refuse(f"{name} must be a whole number of seconds, -1..86400, not {value!r}")
    if cors.get("AllowCredentials") and "*" in cors.get("AllowOrigins", ()):
        refuse("AllowCredentials with AllowOrigins ['*'] is what no browser accepts; name the origins")
