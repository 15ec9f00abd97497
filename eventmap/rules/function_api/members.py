"""The configuration of a function in AWS' members: what is honoured, what is kept and shown, what is refused.

Kept and shown, without effect: Role, Description, TracingConfig, Architectures, EphemeralStorage, and which Python
Runtime names: functions run on the Python, the machine and the disk that run eventmap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from eventmap.errors import InvalidParameterValue
from eventmap.function import EventInvokeConfig, Function
from eventmap.model import JsonObject
from eventmap.rules.function_api import reading

Members = Mapping[str, Any]

DEFAULTS: Final[Members] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "TracingConfig": {"Mode": "PassThrough"},
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
}
HANDLER_LIMIT: Final = 128
_ROLE: Final = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
_RUNTIMES: Final = tuple(f"python3.{minor}" for minor in range(9, 16))


def read_members(body: Members, name: str) -> dict[str, Any]:
    """What a request says of the configuration of the function of that name; members it does not name are absent.

    Raises: InvalidParameterValue, ConstraintViolated.
    """
    found = {member: read(body, name) for member, read in _READ.items()}
    return {member: value for member, value in found.items() if value is not None}


def _runtime(body: Members, _: str) -> str | None:
    runtime = reading.text(body, "Runtime")
    if runtime is not None and runtime not in _RUNTIMES:
        raise InvalidParameterValue(
            f"Value '{runtime}' at 'runtime' is none of those that run here: {', '.join(_RUNTIMES)}. All of them run "
            "on the Python that runs eventmap"
        )
    return runtime


def _handler(body: Members, _: str) -> str | None:
    handler = reading.text(body, "Handler", longest=HANDLER_LIMIT, pattern=r"[^\s]+")
    if handler is not None and not all(target_of(handler).partition(":")):
        raise InvalidParameterValue(
            f"Handler '{handler}' is not of the form module.function, as AWS writes it, or module:attribute"
        )
    return handler


def target_of(handler: str) -> str:
    """`module:attribute` for a Handler as AWS writes it, `path/module.function`; one with a colon is such already."""
    if ":" in handler:
        return handler
    module, _, attribute = handler.rpartition(".")
    return f"{module.replace('/', '.')}:{attribute}"


def _environment(body: Members, _: str) -> JsonObject | None:
    environment = reading.structure(body, "Environment", ("Variables",))
    if environment is None:
        return None
    variables = reading.structure(environment, "Variables", tuple(environment.get("Variables") or ())) or {}
    return {"Variables": variables}


def _dead_letter(body: Members, _: str) -> JsonObject | None:
    config = reading.structure(body, "DeadLetterConfig", ("TargetArn",))
    if config is None:
        return None
    arn = reading.text(config, "TargetArn")
    return {"TargetArn": arn} if arn else {}


def _tracing(body: Members, _: str) -> JsonObject | None:
    config = reading.structure(body, "TracingConfig", ("Mode",))
    if config is None:
        return None
    return {"Mode": reading.choice(config, "Mode", ("Active", "PassThrough")) or "PassThrough"}


def _architectures(body: Members, _: str) -> list[str] | None:
    found = reading.texts(body, "Architectures")
    if found is not None and found not in (["x86_64"], ["arm64"]):
        raise reading.violation(
            f"[{', '.join(found)}]", "Architectures", "Member must satisfy enum value set: [x86_64, arm64]"
        )
    return found


def _storage(body: Members, _: str) -> JsonObject | None:
    config = reading.structure(body, "EphemeralStorage", ("Size",))
    return None if config is None else {"Size": reading.number(config, "Size", 512, 10_240) or 512}


def _logging(body: Members, name: str) -> None:
    """The one there is may be named. Lines are text, and go where those of eventmap go."""
    config = reading.structure(
        body, "LoggingConfig", ("LogFormat", "LogGroup", "ApplicationLogLevel", "SystemLogLevel")
    )
    if config is None:
        return
    if reading.choice(config, "LogFormat", ("JSON", "Text")) == "JSON":
        raise InvalidParameterValue("LoggingConfig.LogFormat JSON is not supported here: a function's lines are Text")
    if reading.text(config, "LogGroup") not in (None, f"/aws/lambda/{name}"):
        raise InvalidParameterValue(
            f"LoggingConfig.LogGroup is always /aws/lambda/{name} here: lines go where those of eventmap go"
        )
    if config.get("ApplicationLogLevel") or config.get("SystemLogLevel"):
        raise InvalidParameterValue(
            "Incompatible Log Levels configured: Log levels are not supported for log format Text."
        )


def _snap_start(body: Members, _: str) -> None:
    config = reading.structure(body, "SnapStart", ("ApplyOn",))
    if config and reading.choice(config, "ApplyOn", ("PublishedVersions", "None")) == "PublishedVersions":
        raise InvalidParameterValue("SnapStart is not supported here: leave it out, or say ApplyOn None")


def _package(body: Members, _: str) -> None:
    if reading.choice(body, "PackageType", ("Zip", "Image")) == "Image":
        raise InvalidParameterValue("PackageType Image is not supported here: give the code as a zip file")


def _empty(member: str, why: str) -> Callable[[Members, str], None]:
    """Tools send these empty to say that there are none."""

    def read(body: Members, _: str) -> None:
        if not _is_empty(body.get(member)):
            raise InvalidParameterValue(f"{member} is not supported here: {why}")

    return read


def _is_empty(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_empty(each) for each in value.values())
    return value in (None, "", [], False)


_READ: Final[Mapping[str, Callable[[Members, str], Any]]] = {
    "Runtime": _runtime,
    "Role": lambda body, _: reading.text(body, "Role", pattern=_ROLE),
    "Handler": _handler,
    "Description": lambda body, _: reading.text(body, "Description", longest=256),
    "Timeout": lambda body, _: reading.number(body, "Timeout", 1, 900),
    "MemorySize": lambda body, _: reading.number(body, "MemorySize", 128, 10_240),
    "Environment": _environment,
    "DeadLetterConfig": _dead_letter,
    "TracingConfig": _tracing,
    "Architectures": _architectures,
    "EphemeralStorage": _storage,
    "PackageType": _package,
    "LoggingConfig": _logging,
    "SnapStart": _snap_start,
    "VpcConfig": _empty("VpcConfig", "functions run in the network of this machine"),
    "Layers": _empty("Layers", "put what they hold into the zip file, or install it beside eventmap"),
    "FileSystemConfigs": _empty("FileSystemConfigs", "functions see the files of this machine"),
    "ImageConfig": _empty("ImageConfig", "code is a zip file"),
    "KMSKeyArn": _empty("KMSKeyArn", "variables are kept as they are"),
}
CONFIGURATION: Final = tuple(_READ)
"""All members that `read_members` looks at."""


def function_of(
    name: str,
    version: str,
    members: Members,
    code_folder: str | None,
    **parts: Any,
) -> Function:
    """The function as it runs; `parts` are further fields of it. Raises: InvalidParameterValue."""
    return Function(
        function_name=name,
        handler=target_of(members["Handler"]),
        timeout=members["Timeout"],
        memory_size=members["MemorySize"],
        environment=members.get("Environment", {}).get("Variables", {}),
        dead_letter_config=members.get("DeadLetterConfig", {}),
        code_folder=code_folder,
        isolation="process",
        version=version,
        **parts,
    )


def event_invoke_config_of(members: Members) -> EventInvokeConfig:
    """Of the members of PutFunctionEventInvokeConfig. Raises: InvalidParameterValue."""
    named = {
        "maximum_retry_attempts": members.get("MaximumRetryAttempts"),
        "maximum_event_age_in_seconds": members.get("MaximumEventAgeInSeconds"),
        "destination_config": members.get("DestinationConfig"),
    }
    return EventInvokeConfig(**{field: value for field, value in named.items() if value is not None})
