"""The environment variables an environment's process starts with (INV-115, 116)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from eventmap.function import Function
from eventmap.runtime import target as targets
from eventmap.runtime.context import Place

_NOT_INHERITED = frozenset({"_X_AMZN_TRACE_ID", "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_MAX_CONCURRENCY"})
_DEFAULTS = {"LANG": "en_US.UTF-8", "TZ": ":UTC", "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR"}


def process_environment(
    function: Function,
    target: str,
    place: Place,
    *,
    region: str,
    extra: Mapping[str, str],
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """All variables of one child. Later wins: `inherited`, Lambda's defaults, `extra`, the function's, reserved ones.

    `inherited` is the parent's own environment (PATH, PYTHONPATH, credentials …); those in it that
    describe one running Lambda invocation are dropped.
    """
    variables = {name: value for name, value in inherited.items() if name not in _NOT_INHERITED}
    variables |= _DEFAULTS
    variables.update(extra)
    variables.update(function.environment)
    variables |= {
        "_HANDLER": targets.lambda_handler_name(target),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": place.function_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": place.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": place.log_stream_name,
        "LAMBDA_TASK_ROOT": function.code_folder or targets.task_root(target),
        "LAMBDA_RUNTIME_DIR": os.path.dirname(os.path.abspath(__file__)),
        "_EVENTMAP_FUNCTION_ARN": place.function_arn,
    }
    return variables
