"""Every operation of Lambda's API is served, or refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventmap.control.function_routes import function_routes
from eventmap.control.functions import ControlledFunctions
from eventmap.control.mapping_routes import mapping_routes
from eventmap.control.mappings import ControlledMappings
from eventmap.control.refused import refused_routes
from eventmap.control.tags import tag_routes
from eventmap.server.lambda_api import Route
from eventmap.state.control_memory import MemoryControl
from tests.server.service_model import operations_of

from .scene import Functions, Pollers

INVOKE = {"Invoke", "InvokeAsync", "InvokeWithResponseStream"}
# Those differ by a parameter of the query.
SAME_PATH = {
    "GetLayerVersionByArn": "ListLayers",
    "ListProvisionedConcurrencyConfigs": "GetProvisionedConcurrencyConfig",
}


def served(folder: Path) -> list[Route]:
    functions: Any = Functions()
    made = ControlledFunctions(functions, MemoryControl(), folder)
    mappings = ControlledMappings(Pollers(), made, MemoryControl())
    return [*mapping_routes(mappings), *tag_routes({"event-source-mapping": mappings}), *function_routes(made)]


def test_every_operation_that_botocore_knows_is_served_or_refused(tmp_path: Path) -> None:
    """A new one is missing here until somebody decides."""
    names = [route.operation for route in (*served(tmp_path), *refused_routes())]

    assert operations_of("lambda") - INVOKE - {*names} - SAME_PATH.keys() == set()


def test_no_operation_is_both(tmp_path: Path) -> None:
    """What is served is not said to be refused, and nothing is there twice."""
    routes = [*served(tmp_path), *refused_routes()]

    assert len({(route.method, route.template) for route in routes}) == len(routes)
    assert len({route.operation for route in routes}) == len(routes)
