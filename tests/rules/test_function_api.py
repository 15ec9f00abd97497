"""The API of functions, decided: requests, pages, policies, documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from eventmap.errors import ConfigurationError, ConstraintViolated, InvalidParameterValue
from eventmap.function import Function
from eventmap.rules.function_api import changes, policy, reading
from eventmap.rules.function_api.changes import ChangeRefused, Occasion
from eventmap.rules.function_api.creation import created, read_create, read_update_code
from eventmap.rules.function_api.declared import recorded_of
from eventmap.rules.function_api.members import read_members, target_of
from eventmap.rules.function_api.paging import page
from eventmap.rules.function_api.recorded import RecordedCode, RecordedFunction, recorded_function
from eventmap.rules.function_api.shown import amazon_time, configuration, event_invoke_config

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:ends"
NOW = Occasion(1_767_225_600.25, "r-1", ARN)
BODY: dict[str, Any] = {
    "FunctionName": "pay",
    "Role": "arn:aws:iam::123456789012:role/pay",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Code": {"ZipFile": "eA=="},
}


def function(code: str = "one", **body: Any) -> RecordedFunction:
    return created(read_create({**BODY, **body}), RecordedCode(folder=code, sha256=code, size=1), NOW)


def whole() -> RecordedFunction:
    """One with everything there is."""
    it = changes.published(function(Tags={"a": "b"}), None, NOW)[0]
    it = changes.alias_created(it, {"Name": "live", "FunctionVersion": "1"}, NOW)
    it = changes.event_invoke_config_put(
        it, "live", {"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}, NOW,
        merged=False,
    )  # fmt: skip
    it = changes.provisioned_put(it, "live", {"ProvisionedConcurrentExecutions": 1}, NOW)
    permission: dict[str, Any] = {"StatementId": "s", "Action": "lambda:*", "Principal": "*"}
    return replace(policy.permission_added(it, "live", permission, NOW)[0], reserved=3)


def test_a_function_is_what_its_document_says() -> None:
    """Through JSON and back, with all that is kept of it."""
    assert recorded_function(orjson.loads(orjson.dumps(whole().document()))) == whole()


@pytest.mark.parametrize("member", ["name", "latest", "versions", "aliases"])
def test_a_document_of_another_form_is_not_read(member: str) -> None:
    """What is not there, or of no use."""
    document = whole().document()
    for broken in ({name: value for name, value in document.items() if name != member}, {**document, member: {"x": 1}}):
        with pytest.raises((KeyError, TypeError, AttributeError, ConfigurationError)):
            recorded_function(broken)


def test_what_runs_is_what_is_kept() -> None:
    """The function with its versions, aliases, configs and concurrency."""
    it = whole().function("/code/{}".format)

    assert (it.handler, it.isolation, it.code_folder, it.concurrency) == ("app:handler", "process", "/code/one", 3)
    assert [(name, each.version) for name, each in it.versions.items()] == [("1", "1")]
    assert it.runs("live") is it.versions["1"]
    config = it.event_invoke_config("live")
    assert (config.maximum_retry_attempts, config.on_failure) == (1, QUEUE)


@pytest.mark.parametrize(
    ("handler", "target"),
    [
        ("app.handler", "app:handler"),
        ("a.b.handler", "a.b:handler"),
        ("src/app.handler", "src.app:handler"),
        ("app:Class.method", "app:Class.method"),
        ("src/app.py:handler", "src/app.py:handler"),
    ],
)
def test_where_a_handler_leads(handler: str, target: str) -> None:
    """As AWS writes it, or as we do."""
    assert target_of(handler) == target


def test_what_belongs_to_a_qualifier_goes_with_it() -> None:
    """An alias that is made anew begins with nothing."""
    it = changes.alias_deleted(whole(), "live")
    assert (it.event_invoke_configs, it.provisioned, it.policies, it.aliases) == ({}, {}, {}, {})
    assert changes.version_deleted(it, "1", NOW).versions == ()
    assert changes.version_deleted(it, "7", NOW) is it
    assert changes.alias_deleted(it, "live") is it
    assert changes.provisioned_deleted(whole(), "live").provisioned == {}


def test_a_number_is_given_once() -> None:
    """Also after the version is gone; and nothing is published twice."""
    it, first = changes.published(function(), None, NOW)
    assert changes.published(it, "other words", NOW) == (it, "1")
    it = changes.version_deleted(it, "1", NOW)
    it, second = changes.published(it, "words", NOW)
    assert (first, second) == ("1", "2")
    assert it.versions[0].members["Description"] == "words"
    assert it.latest.members["Description"] == ""


def test_pages_of_any_list() -> None:
    """MaxItems within the limit, and a marker that goes on after what was shown, whatever went meanwhile."""
    items: list[tuple[str, Any]] = [(f"{i:03}", {"n": i}) for i in range(120)]
    first: Any = page("Items", items, {})
    assert [each["n"] for each in first["Items"]] == list(range(50))
    later = page("Items", items[60:], {"Marker": [str(first["NextMarker"])], "MaxItems": ["2"]})
    assert later["Items"] == [{"n": 60}, {"n": 61}]
    assert page("Items", items[:3], {"MaxItems": ["10000"]}) == {"Items": [{"n": i} for i in range(3)]}


@pytest.mark.parametrize(
    "query", [{"MaxItems": ["x"]}, {"MaxItems": ["0"]}, {"MaxItems": ["1", "2"]}, {"Marker": ["?"]}]
)
def test_pages_that_are_none(query: Any) -> None:
    """InvalidParameterValue, or ConstraintViolated."""
    with pytest.raises(InvalidParameterValue):
        page("Items", [], query)


@pytest.mark.parametrize(
    "body",
    [
        {"Role": None}, {"Handler": None}, {"Runtime": None}, {"FunctionName": None}, {"FunctionName": 1},
        {"Timeout": "3"}, {"Publish": "yes"}, {"Code": []}, {"Code": {"Path": "x"}}, {"Architectures": "arm64"},
        {"Environment": {"Variables": []}}, {"Environment": {"Names": {}}}, {"Architectures": [1]},
        {"TracingConfig": 1}, {"Handler": "a b.c"}, {"Handler": ".handler"}, {"Handler": "app."},
    ],
    ids=str,
)  # fmt: skip
def test_values_that_are_none(body: dict[str, Any]) -> None:
    """Types that botocore would not send, and what must be there."""
    with pytest.raises(InvalidParameterValue):
        read_create({**BODY, **body})


def test_what_is_left_out_has_its_default() -> None:
    """API-163, 164: Timeout 3, MemorySize 128; an empty structure has the default within."""
    it = function(TracingConfig={}, EphemeralStorage={}, Environment={}, DeadLetterConfig={}, LoggingConfig={})

    shown = configuration(it.latest, "pay", ARN)
    assert (shown["Timeout"], shown["MemorySize"], shown["Description"]) == (3, 128, "")
    assert (shown["TracingConfig"], shown["EphemeralStorage"]) == ({"Mode": "PassThrough"}, {"Size": 512})
    assert shown["LastModified"] == amazon_time(NOW.now) == "2026-01-01T00:00:00.250+0000"
    assert shown["Environment"] == {"Variables": {}}
    assert read_members({}, "pay") == {}
    failed = configuration(it.latest, "pay", ARN, failure="why")
    assert (failed["State"], failed["StateReason"], failed["LastUpdateStatus"]) == ("Failed", "why", "Failed")


def test_code_that_must_be_given_again() -> None:
    """UpdateFunctionCode of a function in the folder that eventmap was started in."""
    with pytest.raises(InvalidParameterValue, match="Please provide a source for function code"):
        read_update_code({})
    with pytest.raises(InvalidParameterValue, match="publish versions"):
        changes.published(replace(function(), latest=replace(function().latest, code=RecordedCode())), None, NOW)


def test_required_says_what_is_missing() -> None:
    """In the words of AWS' validation."""
    with pytest.raises(ConstraintViolated, match="Value null at 'functionName'"):
        reading.required(None, "FunctionName")


@pytest.mark.parametrize(
    ("principal", "written"),
    [
        ("*", "*"),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}),
        ("arn:aws:iam::123456789012:role/x", {"AWS": "arn:aws:iam::123456789012:role/x"}),
    ],
)
def test_principals_as_aws_writes_them(principal: str, written: object) -> None:
    """Services by host, accounts by their root."""
    body: dict[str, Any] = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": principal}
    assert policy.permission_added(function(), "", body, NOW)[1]["Principal"] == written


def test_of_what_is_not_there() -> None:
    """404, in AWS' words."""
    for ask in (
        lambda: policy.found_policy(function(), ""),
        lambda: changes.found_alias(function(), "x", ARN),
        lambda: changes.found_provisioned(function(), "x"),
        lambda: changes.found_event_invoke_config(function(), "x", ARN),
    ):
        with pytest.raises(ChangeRefused) as refused:
            ask()
        assert refused.value.status == 404


class Callable:
    """A handler that is an object."""

    def __call__(self, event: object, context: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        ("app:handler", "app.handler"),
        ("src/app.py:handler", "src/app.handler"),
        (test_of_what_is_not_there, f"{__name__}.test_of_what_is_not_there"),
        (Callable(), f"{__name__}.Callable"),
    ],
    ids=str,
)
def test_a_declared_function_as_it_is_shown(handler: Any, shown: str) -> None:
    """What it was declared with; aliases go by the same config."""
    declared = recorded_of(
        Function(
            handler=handler,
            function_name="pay",
            environment={"A1": "x"},
            isolation="process",
            aliases=["live"],
            dead_letter_config={"TargetArn": QUEUE},
        ),
        NOW.now,
    )

    answer = configuration(declared.latest, "pay", ARN)
    assert (answer["Handler"], answer["Environment"]) == (shown, {"Variables": {"A1": "x"}})
    assert answer["DeadLetterConfig"] == {"TargetArn": QUEUE}
    assert "CodeSha256" not in answer
    config = event_invoke_config(declared, "live", ARN)
    assert (config["FunctionArn"], config["MaximumRetryAttempts"]) == (f"{ARN}:live", 2)
    bare = recorded_of(Function(handler=handler, function_name="pay"), NOW.now)
    assert not {"Environment", "DeadLetterConfig"} & configuration(bare.latest, "pay", ARN).keys()
