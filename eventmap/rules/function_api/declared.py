"""A function of the service's own code, as the API shows it."""

from __future__ import annotations

import sys
from typing import Any, Final

from eventmap.function import LATEST, Function
from eventmap.rules.function_api.members import DEFAULTS
from eventmap.rules.function_api.recorded import RecordedAlias, RecordedCode, RecordedFunction, RecordedVersion

NO_ROLE: Final = "arn:aws:iam::000000000000:role/eventmap"
"""What is shown of functions that have none."""


def recorded_of(function: Function, now: float) -> RecordedFunction:
    """Never kept, changed or run by it."""
    members: dict[str, Any] = {
        **DEFAULTS,
        "Runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "Role": NO_ROLE,
        "Handler": _handler(function),
        "Timeout": function.timeout,
        "MemorySize": function.memory_size,
    }
    if function.environment:
        members["Environment"] = {"Variables": dict(function.environment)}
    if function.dead_letter_arn:
        members["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
    config = {
        "MaximumRetryAttempts": function.maximum_retry_attempts,
        "MaximumEventAgeInSeconds": function.maximum_event_age_in_seconds,
        "DestinationConfig": dict(function.destination_config),
        "LastModified": now,
    }
    return RecordedFunction(
        name=function.function_name,
        latest=RecordedVersion(
            version=LATEST, members=members, code=RecordedCode(), last_modified_s=now, revision_id=""
        ),
        aliases={
            name: RecordedAlias(name=name, version=LATEST, description="", revision_id="") for name in function.aliases
        },
        reserved=function.reserved_concurrent_executions,
        event_invoke_configs=dict.fromkeys((LATEST, *function.aliases), config),
    )


def _handler(function: Function) -> str:
    """As AWS writes it, where it can be written so."""
    if isinstance(function.handler, str):
        module, _, attribute = function.handler.rpartition(":")
        return f"{module.removesuffix('.py')}.{attribute}"
    return f"{function.handler.__module__}.{getattr(function.handler, '__qualname__', type(function.handler).__name__)}"
