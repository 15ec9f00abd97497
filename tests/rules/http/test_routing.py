"""Which route takes a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.http_route import HttpRoute
from eventmap.rules.http.routing import Routing

ROUTES = (
    "GET /pets/dog/1",
    "GET /pets/dog/{id}",
    "GET /pets/{kind}/{id}",
    "POST /pets/{kind}/{number}",
    "GET /pets/{proxy+}",
    "GET /{a}/mouse",
    "ANY /{proxy+}",
    "GET /ä/ü",
    "GET /",
    "$default",
)


def routing(*texts: str, stage: str = "$default") -> Routing:
    return Routing([HttpRoute(route=text, function_name="f", stage=stage) for text in texts])


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}", {"id": "2"}),
        ("GET", "/pets/cat/2", "GET /pets/{kind}/{id}", {"kind": "cat", "id": "2"}),
        ("POST", "/pets/dog/1", "POST /pets/{kind}/{number}", {"kind": "dog", "number": "1"}),
        ("GET", "/pets/cat/2/3", "GET /pets/{proxy+}", {"proxy": "cat/2/3"}),
        ("GET", "/pets/mouse", "GET /{a}/mouse", {"a": "pets"}),
        ("PUT", "/pets/dog/1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/", "GET /", {}),
        ("PUT", "/", "$default", {}),
        ("GET", "/pets/dog/a%2Fb", "GET /pets/dog/{id}", {"id": "a/b"}),
        ("GET", "/pets%2Fdog%2F1", "ANY /{proxy+}", {"proxy": "pets/dog/1"}),
        ("GET", "/p%65ts/dog/1", "GET /pets/dog/1", {}),
        ("GET", "/%C3%A4/%c3%bc", "GET /ä/ü", {}),
        ("GET", "/pets/dog/%FF", "GET /pets/dog/{id}", {"id": "\ufffd"}),
        ("GET", "/pets/dog/", "GET /pets/{proxy+}", {"proxy": "dog/"}),
        ("GET", "/pets/dog/1/", "GET /pets/{proxy+}", {"proxy": "dog/1/"}),
    ],
)
def test_the_route_that_says_most_takes_a_request(
    method: str, path: str, route: str, parameters: dict[str, str]
) -> None:
    """Exact, parameters, the rest of a path, $default; a path without the method lets the next have it."""
    match = routing(*ROUTES).find(method, path)

    assert match is not None
    assert (match.route.route, match.parameters) == (route, parameters)
    assert routing(*reversed(ROUTES)).find(method, path) == match


@pytest.mark.parametrize("path", ["/orders/", "/orders", "/", "/orders/1/2", "/orders%2F1"])
def test_a_parameter_is_one_segment_and_never_empty(path: str) -> None:
    """Nor is an encoded slash a slash."""
    assert routing("GET /orders/{id}").find("GET", path) is None


@pytest.mark.parametrize("path", ["/", "/files", "/files/"])
def test_the_rest_of_a_path_is_never_empty(path: str) -> None:
    """`/files` has a route of its own, or none."""
    assert routing("GET /files/{path+}").find("GET", path) is None


def test_a_method_of_its_own_goes_before_any() -> None:
    """Of the same path."""
    both = routing("ANY /a", "GET /a")

    assert [both.find(method, "/a").route.route for method in ("GET", "PUT")] == ["GET /a", "ANY /a"]  # type: ignore[union-attr]


def test_head_is_a_method_like_any_other() -> None:
    """A GET route does not take it, as on AWS."""
    assert routing("GET /a").find("HEAD", "/a") is None


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/dev/a", "GET /a"),
        ("/dev", "$default"),
        ("/dev/", "$default"),
        ("/dev/b", "$default"),
        ("/a", None),
        ("/device", None),
        ("/", None),
    ],
)
def test_a_named_stage_is_the_first_segment(path: str, route: str | None) -> None:
    """As on the domain names AWS gives."""
    match = routing("GET /a", "$default", stage="dev").find("GET", path)

    assert (None if match is None else match.route.route) == route


def test_stages_stand_beside_each_other() -> None:
    """Paths without a stage are $default's."""
    both = Routing(
        [HttpRoute(route="$default", function_name=stage.strip("$"), stage=stage) for stage in ("$default", "dev")]
    )

    found = [both.find("GET", path) for path in ("/dev/a", "/a")]
    assert [match.route.function_name for match in found if match] == ["dev", "default"]


@given(st.text(alphabet="ab%2F/", max_size=12))
def test_any_path_is_matched_or_not(rest: str) -> None:
    """$default takes what nothing else does, and nothing is lost of a path that one route takes whole."""
    match = routing("ANY /{all+}", "$default").find("GET", f"/{rest}")

    assert match is not None
    assert (match.route.route == "$default") == (not rest)
