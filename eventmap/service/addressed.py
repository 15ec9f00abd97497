"""How a mapping addresses its function: by its name, or by an alias or version of it, `NAME:QUALIFIER`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from eventmap.runtime.invoker import FunctionRuntime

if TYPE_CHECKING:
    from eventmap.delivery.stream.ports import Invoke


def addressed(runtime: FunctionRuntime, function_name: str) -> Invoke:
    """Invokes what the name says."""
    if ":" not in function_name:
        return runtime.invoke
    return functools.partial(runtime.invoke, invoked_arn=addressed_arn(runtime, function_name))


def addressed_arn(runtime: FunctionRuntime, function_name: str) -> str:
    """The function's ARN, with the qualifier if one is named."""
    _, colon, qualifier = function_name.partition(":")
    return f"{runtime.arn}{colon}{qualifier}"
