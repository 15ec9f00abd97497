"""The context object (INV-100..111)."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap.runtime.context import LambdaContext, Place

PLACE = Place(
    "orders",
    function_arn="arn:aws:lambda:eu-west-1:123456789012:function:orders",
    memory_limit_in_mb="128",
    log_stream_name="2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef",
)


def context(client_context: dict[str, Any] | None = None, *, now: float = 7.0, deadline: float = 10.0) -> LambdaContext:
    return LambdaContext("id-1", PLACE, deadline=deadline, clock=lambda: now, client_context=client_context)


def test_inv_100_to_104_say_what_runs_where():
    """INV-100..104: names, version and ARN are strings, the memory limit too."""
    made = context()

    assert (made.function_name, made.function_version, made.aws_request_id) == ("orders", "$LATEST", "id-1")
    assert made.invoked_function_arn == "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    assert made.memory_limit_in_mb == "128"
    assert made.log_group_name == "/aws/lambda/orders"
    assert made.log_stream_name.endswith("[$LATEST]0123456789abcdef0123456789abcdef")


def test_inv_105_identity_is_an_object_with_nothing_in_it():
    """INV-105: both Cognito ids are None."""
    assert (context().identity.cognito_identity_id, context().identity.cognito_identity_pool_id) == (None, None)


def test_inv_106_client_context_is_none_or_an_object():
    """INV-106: what was not sent is None."""
    sent = context({"client": {"app_title": "shop"}, "custom": {"a": 1}}).client_context

    assert context().client_context is None
    assert sent is not None and sent.client is not None
    assert (sent.client.app_title, sent.client.installation_id) == ("shop", None)  # type: ignore[attr-defined]
    assert (sent.custom, sent.env) == ({"a": 1}, None)


@pytest.mark.parametrize(("now", "millis"), [(7.0, 3000), (9.9995, 0), (10.0, 0), (11.0, 0)])
def test_inv_107_remaining_time_is_never_negative(now: float, millis: int):
    """INV-107: whole milliseconds until the deadline."""
    assert millis == context(now=now).get_remaining_time_in_millis()


def test_inv_108_tenant_id_is_none():
    """INV-108: no tenant for an event source."""
    assert context().tenant_id is None


def test_inv_109_w3c_keeps_three_strings_and_leaves_the_client_context():
    """INV-109: only the three headers, only strings, and none without a client context."""
    made = context({"w3c": {"traceparent": "00-1", "tracestate": 5, "other": "x"}, "custom": {}})

    assert made.w3c() == {"traceparent": "00-1"}
    assert not hasattr(made.client_context, "w3c")
    assert context().w3c() == context({"w3c": "x"}).w3c() == {}


def test_inv_110_log_writes_the_message_as_it_is(capsys: pytest.CaptureFixture[str]):
    """INV-110: no newline is added."""
    context().log("a")
    context().log(5)

    assert capsys.readouterr().out == "a5"


def test_inv_111_repr_lists_the_members():
    """INV-111: the form and order of Lambda's own."""
    assert repr(context({"client": {"app_title": "shop"}})) == (
        "LambdaContext([aws_request_id=id-1,log_group_name=/aws/lambda/orders,"
        "log_stream_name=2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef,function_name=orders,"
        "memory_limit_in_mb=128,function_version=$LATEST,"
        "invoked_function_arn=arn:aws:lambda:eu-west-1:123456789012:function:orders,"
        "client_context=ClientContext([custom=None,env=None,client=Client([installation_id=None,app_title=shop,"
        "app_version_name=None,app_version_code=None,app_package_name=None])]),"
        "identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None]),tenant_id=None])"
    )


def test_middleware_may_hang_its_own_attributes_on_a_context():
    """The context is as open as Lambda's."""
    made: Any = context()
    made.anything = 1

    assert made.anything == 1
