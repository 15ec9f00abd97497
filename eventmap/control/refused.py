"""Operations of Lambda's API that are not served here, each refused by its name and with what there is instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from eventmap.model import JsonObject
from eventmap.server.lambda_api import ApiError, Call, Route

_LAYERS: Final = "/2018-10-31/layers"
_LAYER: Final = f"{_LAYERS}/{{LayerName}}/versions"
_LAYER_VERSION: Final = f"{_LAYER}/{{VersionNumber}}"
_SIGNINGS: Final = "/2020-04-22/code-signing-configs"
_SIGNING: Final = f"{_SIGNINGS}/{{CodeSigningConfigArn}}"
_SIGNED: Final = "/2020-06-30/functions/{FunctionName}/code-signing-config"
_URL: Final = "/2021-10-31/functions/{FunctionName}/url"
_RECURSION: Final = "/2024-08-31/functions/{FunctionName}/recursion-config"
_RUNTIME: Final = "/2021-07-20/functions/{FunctionName}/runtime-management-config"

_REFUSED: Final = {
    "there are no layers: put what a function needs into its zip, or install it beside eventmap": (
        ("ListLayers", "GET", _LAYERS),  # and GetLayerVersionByArn, whose path is the same
        ("ListLayerVersions", "GET", _LAYER),
        ("PublishLayerVersion", "POST", _LAYER),
        ("GetLayerVersion", "GET", _LAYER_VERSION),
        ("DeleteLayerVersion", "DELETE", _LAYER_VERSION),
        ("AddLayerVersionPermission", "POST", f"{_LAYER_VERSION}/policy"),
        ("GetLayerVersionPolicy", "GET", f"{_LAYER_VERSION}/policy"),
        ("RemoveLayerVersionPermission", "DELETE", f"{_LAYER_VERSION}/policy/{{StatementId}}"),
    ),
    "code is not signed: who may call this API may run code": (
        ("CreateCodeSigningConfig", "POST", _SIGNINGS),
        ("ListCodeSigningConfigs", "GET", _SIGNINGS),
        ("GetCodeSigningConfig", "GET", _SIGNING),
        ("UpdateCodeSigningConfig", "PUT", _SIGNING),
        ("DeleteCodeSigningConfig", "DELETE", _SIGNING),
        ("ListFunctionsByCodeSigningConfig", "GET", f"{_SIGNING}/functions"),
        ("PutFunctionCodeSigningConfig", "PUT", _SIGNED),
        ("DeleteFunctionCodeSigningConfig", "DELETE", _SIGNED),
    ),
    "functions get HTTP requests by routes that are declared: `@app.http`, `--http-api`": (
        ("CreateFunctionUrlConfig", "POST", _URL),
        ("GetFunctionUrlConfig", "GET", _URL),
        ("UpdateFunctionUrlConfig", "PUT", _URL),
        ("DeleteFunctionUrlConfig", "DELETE", _URL),
        ("ListFunctionUrlConfigs", "GET", f"{_URL}s"),
    ),
    "recursive invocations are not looked for": (
        ("GetFunctionRecursionConfig", "GET", _RECURSION),
        ("PutFunctionRecursionConfig", "PUT", _RECURSION),
    ),
    "functions run on the Python that runs eventmap": (
        ("GetRuntimeManagementConfig", "GET", _RUNTIME),
        ("PutRuntimeManagementConfig", "PUT", _RUNTIME),
    ),
}


def refused_routes() -> list[Route]:
    """After all that are served: the first route of a path and method is the one that answers."""
    return [
        Route(operation, method, template, 200, _refusing(operation, why))
        for why, operations in _REFUSED.items()
        for operation, method, template in operations
    ]


def _refusing(operation: str, why: str) -> Callable[[Call], Awaitable[JsonObject]]:
    async def refuse(_: Call) -> JsonObject:
        raise ApiError(404, "UnknownOperationException", f"{operation} is not served here: {why}")

    return refuse
