"""No silent parameter: every member of the operations on functions has its fate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eventmap.control import function_routes
from eventmap.control.functions import ControlledFunctions
from eventmap.errors import ConfigurationError
from eventmap.rules.function_api.changes import (
    Occasion,
    alias_created,
    alias_updated,
    updated_configuration,
    version_published,
)
from eventmap.rules.function_api.creation import created, read_create, read_update_code
from eventmap.rules.function_api.recorded import RecordedCode, RecordedFunction
from eventmap.state.control_memory import MemoryControl
from tests.control.scene import Functions

from .fields_functions import TABLE
from .function_scene import ARN, ROLE
from .service_model import body_with, check_table, members_of

OCCASION = Occasion(0.0, "r", ARN)
CREATE = {
    "FunctionName": "pay",
    "Role": ROLE,
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Code": {"ZipFile": "eA=="},
}
VALUES: dict[str, dict[str, Any]] = {  # where the model's first value is no example of what is refused
    "PackageType": {"PackageType": "Image"},
    "LoggingConfig": {"LoggingConfig": {"LogFormat": "JSON"}},
    "SnapStart.ApplyOn": {"SnapStart": {"ApplyOn": "PublishedVersions"}},
    "RoutingConfig": {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
}


def _function() -> RecordedFunction:
    return created(read_create(CREATE), RecordedCode(folder="f", sha256="s", size=1), OCCASION)


def _ask(operation: str, body: dict[str, Any]) -> object:
    match operation:
        case "CreateFunction":
            return read_create({**CREATE, **body})
        case "UpdateFunctionCode":
            return read_update_code({"ZipFile": "eA==", **body})
        case "UpdateFunctionConfiguration":
            return updated_configuration(_function(), body, OCCASION)
        case "PublishVersion":
            return version_published(_function(), body, OCCASION)
        case "CreateAlias":
            return alias_created(_function(), {"Name": "x", "FunctionVersion": "$LATEST", **body}, OCCASION)
        case "UpdateAlias":
            named = alias_created(_function(), {"Name": "x", "FunctionVersion": "$LATEST"}, OCCASION)
            return alias_updated(named, "x", body, OCCASION)
        case _:
            raise AssertionError(f"how is {operation} asked?")


REFUSED = [
    (operation, member)
    for operation, fates in TABLE.items()
    for member, fate in fates.items()
    if fate.startswith("refused")
    and operation != "ListFunctions"  # its MasterRegion is in the query: test_list_functions_pages
    and any(each.startswith(member) for each in members_of("lambda", operation))
]


def test_every_member_of_functions_has_its_fate() -> None:
    """A member that a newer botocore brings is missing here until somebody decides."""
    assert check_table("lambda", TABLE) == []


@pytest.mark.parametrize(("operation", "member"), REFUSED)
def test_what_the_table_of_functions_calls_refused_is_refused(operation: str, member: str) -> None:
    """With the whole of the member; and without it the same request is fine."""
    _ask(operation, {})
    body = VALUES.get(member) or body_with("lambda", operation, member)

    with pytest.raises(ConfigurationError) as refused:
        _ask(operation, body)

    assert "is not supported here" in str(refused.value)


@pytest.mark.parametrize("operation", ["CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"])
def test_a_member_that_nobody_knows_is_refused(operation: str) -> None:
    """What an SDK of tomorrow sends is not passed over."""
    with pytest.raises(ConfigurationError, match="Tomorrow is not supported here; leave it out"):
        _ask(operation, {"Tomorrow": 1})


def test_each_operation_has_botocores_route(tmp_path: Path) -> None:
    """Method, path and status are those of the model; the table has all of them, and no other."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("lambda")
    routes = function_routes.function_routes(ControlledFunctions(Functions(), MemoryControl(), tmp_path))  # type: ignore[arg-type]

    for route in routes:
        http = model.operation_model(route.operation).http
        assert (route.method, route.template) == (http["method"], http["requestUri"].rstrip("/")), route.operation
        assert route.status == http["responseCode"], route.operation
    listed_by_its_query = {"ListProvisionedConcurrencyConfigs"}
    assert {route.operation for route in routes} | listed_by_its_query == set(TABLE)
