"""A function's settings: AWS' ranges, defaults and words."""

from __future__ import annotations

from typing import Any

import pytest

from eventmap import Function
from eventmap.errors import InvalidParameterValue
from eventmap.function import RESERVED_ENVIRONMENT


def handler(event: object, context: object) -> None:
    """Does nothing."""


def function(**settings: Any) -> Function:
    return Function(**{"handler": handler, "function_name": "work", **settings})


def refusal(**settings: Any) -> str:
    with pytest.raises(InvalidParameterValue) as refused:
        function(**settings)
    return str(refused.value)


def test_inv_80_81_78_92_the_defaults() -> None:
    """INV-80, 81, 78: 3 s, 128 MB, 300 s idle, 4 h of life; ten at once where nothing is reserved."""
    plain = function()

    assert (plain.timeout, plain.memory_size, plain.environment, plain.isolation) == (3, 128, {}, "inline")
    assert (plain.idle_timeout_s, plain.maximum_lifetime_s) == (300, 14_400)
    assert (plain.reserved_concurrent_executions, plain.concurrency) == (None, 10)


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 1},
        {"timeout": 900},
        {"memory_size": 128},
        {"memory_size": 10_240},
        {"function_name": "a-Z_9"},
        {"function_name": "x" * 64},
        {"handler": "module:attribute"},
        {"handler": "m:" + "x" * 126},
        {"reserved_concurrent_executions": 0},
        {"environment": {"Ab_1": ""}, "isolation": "process"},
    ],
)
def test_inv_80_81_85_87_92_what_is_accepted(settings: dict[str, Any]) -> None:
    """INV-80, 81, 85, 87, 92: every value at the end of its range."""
    assert all(getattr(function(**settings), name) == value for name, value in settings.items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"timeout": 0},
            "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            {"timeout": 901},
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
        (
            {"memory_size": 127},
            "1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 128",
        ),
        (
            {"memory_size": 10_241},
            "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: "
            "Member must have value less than or equal to 10240",
        ),
        ({"timeout": 1.5}, "timeout must be a whole number, not 1.5"),
        ({"timeout": True}, "timeout must be a whole number, not True"),
        ({"memory_size": "128"}, "memorySize must be a whole number, not '128'"),
    ],
)
def test_inv_80_81_what_is_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    """INV-80, INV-81: in the words of AWS' own validation."""
    assert refusal(**settings) == words


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a.b", "é", "a:b", None, 5])
def test_inv_87_function_names(name: Any) -> None:
    """INV-87: 1..64 of letters, digits, hyphen and underscore."""
    assert "functionName" in refusal(function_name=name)


@pytest.mark.parametrize("target", ["x" * 127 + ":h", "handler", ""])
def test_inv_87_handlers_have_a_form_and_a_length(target: str) -> None:
    """INV-87: at most 128 characters, and where to import it from."""
    assert "handler" in refusal(handler=target)


@pytest.mark.parametrize("target", [None, 5, {}])
def test_a_handler_is_callable(target: Any) -> None:
    """Said where it is declared, not when the first message arrives."""
    assert "not callable" in refusal(handler=target)


@pytest.mark.parametrize("reserved", [-1, 1.0, "1", True])
def test_inv_92_reserved_concurrency_is_a_whole_number(reserved: Any) -> None:
    """INV-92: 0 blocks; nothing is below it."""
    assert "reservedConcurrentExecutions" in refusal(reserved_concurrent_executions=reserved)


def test_inv_92_reserved_concurrency_is_the_limit() -> None:
    """INV-92: it guarantees and caps; 0 is none at all, not the default."""
    assert function(reserved_concurrent_executions=0).concurrency == 0
    assert function(reserved_concurrent_executions=77).concurrency == 77


@pytest.mark.parametrize("name", ["1A", "A", "_A", "A-B", "", "A B", "É1", 5])
def test_inv_85_variable_names(name: Any) -> None:
    """INV-85: a letter, then at least one letter, digit or underscore."""
    assert "environment.variables" in refusal(environment={name: "x"}, isolation="process")


@pytest.mark.parametrize("name", sorted(RESERVED_ENVIRONMENT - {"_HANDLER", "_X_AMZN_TRACE_ID"}))
def test_inv_85_115_reserved_names_are_refused_in_aws_words(name: str) -> None:
    """INV-85, INV-115: with the name in question."""
    assert refusal(environment={name: "x"}, isolation="process") == (
        "Lambda was unable to configure your environment variables because the environment variables you have "
        "provided contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {name}"
    )


def test_inv_85_the_variables_have_four_kilobytes_in_all() -> None:
    """INV-85: 4,096 bytes of names and values, in UTF-8."""
    function(environment={"AB": "é" * 2_047}, isolation="process")

    assert "exceeded the 4KB limit: they measure 4097 bytes" in refusal(
        environment={"AB": "é" * 2_047 + "x"}, isolation="process"
    )


@pytest.mark.parametrize("value", [5, None, "a\0b"])
def test_inv_85_values_are_strings(value: Any) -> None:
    """INV-85: and such as a process can be given."""
    assert "AB must be a string" in refusal(environment={"AB": value}, isolation="process")


def test_inv_85_inline_has_no_variables_of_its_own() -> None:
    """No silent parameter: inline, the environment is this process' own."""
    assert 'isolation="process"' in refusal(environment={"AB": "x"})
    assert "table" in refusal(environment=["AB"], isolation="process")


def test_the_isolation_is_one_of_two() -> None:
    """Anything else is refused, with the choices."""
    assert "choose process or inline" in refusal(isolation="docker")


@pytest.mark.parametrize("name", ["idle_timeout_s", "maximum_lifetime_s"])
@pytest.mark.parametrize("value", [0, -1, "5", True, float("nan")])
def test_inv_78_times_are_above_zero(name: str, value: Any) -> None:
    """INV-78: seconds, our own settings."""
    assert name in refusal(**{name: value})


QUEUE = "arn:aws:sqs:us-east-1:123456789012:done"
TOPIC = "arn:aws:sns:us-east-1:123456789012:done"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:other"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"
BUCKET = "arn:aws:s3:::done"


def test_inv_41_44_the_defaults_of_asynchronous_events() -> None:
    """INV-41, INV-44: two retries, six hours, and nobody is told."""
    plain = function()

    assert (plain.maximum_retry_attempts, plain.maximum_event_age_in_seconds) == (2, 21_600)
    assert (plain.on_success, plain.on_failure, plain.dead_letter_arn, plain.aliases) == (None, None, None, ())


@pytest.mark.parametrize(
    "settings",
    [
        {"maximum_retry_attempts": 0},
        {"maximum_retry_attempts": 2},
        {"maximum_event_age_in_seconds": 60},
        {"maximum_event_age_in_seconds": 21_600},
        {"aliases": ["live", "v1", "x" * 128]},
    ],
)
def test_inv_15_41_44_what_is_accepted_of_asynchronous_events(settings: dict[str, Any]) -> None:
    """INV-15, 41, 44: every value at the end of its range."""
    assert all(getattr(function(**settings), name) == value for name, value in settings.items())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"maximum_retry_attempts": -1}, "Value '-1' at 'maximumRetryAttempts'"),
        ({"maximum_retry_attempts": 3}, "Value '3' at 'maximumRetryAttempts'"),
        ({"maximum_retry_attempts": True}, "maximumRetryAttempts must be a whole number"),
        ({"maximum_event_age_in_seconds": 59}, "Value '59' at 'maximumEventAgeInSeconds'"),
        ({"maximum_event_age_in_seconds": 21_601}, "Value '21601' at 'maximumEventAgeInSeconds'"),
    ],
)
def test_inv_41_44_what_is_out_of_range_is_refused(settings: dict[str, Any], words: str) -> None:
    """INV-41, INV-44: in the words of AWS' own validation."""
    assert words in refusal(**settings)


@pytest.mark.parametrize("aliases", [["1"], ["007"], [""], ["a b"], ["x" * 129], ["a:b"], ["é"], [5], "live", None])
def test_inv_15_an_alias_is_no_number(aliases: Any) -> None:
    """INV-15: digits alone would be a version's name."""
    assert "alias" in refusal(aliases=aliases) or "'name'" in refusal(aliases=aliases)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC, OTHER, f"{OTHER}:live", BUS])
def test_inv_55_to_58_both_outcomes_may_go_to_a_queue_topic_function_or_bus(arn: str) -> None:
    """INV-55..58: each by its ARN."""
    config = {"OnSuccess": {"Destination": arn}, "OnFailure": {"Destination": arn}}

    assert (function(destination_config=config).on_success, function(destination_config=config).on_failure) == (
        arn,
        arn,
    )


def test_inv_59_a_bucket_takes_failures_only() -> None:
    """INV-59: on success it is refused, as in AWS."""
    assert function(destination_config={"OnFailure": {"Destination": BUCKET}}).on_failure == BUCKET
    words = refusal(destination_config={"OnSuccess": {"Destination": BUCKET}})
    assert words.startswith(f"The provided destination config DestinationConfig(OnSuccess={BUCKET}) is invalid.")


def test_inv_63_a_function_is_no_destination_of_its_own() -> None:
    """INV-63: in AWS' words; whichever alias of it."""
    own = "arn:aws:lambda:us-east-1:123456789012:function:work"

    for arn in (own, f"{own}:live"):
        words = refusal(destination_config={"OnFailure": {"Destination": arn}})
        assert words == "You can't specify the function as a destination for itself."


@pytest.mark.parametrize(
    ("arn", "words"),
    [
        ("done", "The destination ARN done is invalid."),
        (5, "The destination ARN 5 is invalid."),
        ("arn:aws:sqs:us-east-1:123456789012:", "is invalid."),
        ("arn:aws:dynamodb:us-east-1:123456789012:table/t", "The provided destination config DestinationConfig("),
        (f"{QUEUE}.fifo", "none of them FIFO"),
    ],
)
def test_inv_55_63_what_is_no_destination_is_refused(arn: Any, words: str) -> None:
    """INV-55, INV-63: another service, a FIFO queue, no ARN at all."""
    assert words in refusal(destination_config={"OnFailure": {"Destination": arn}})


@pytest.mark.parametrize(
    "config",
    [{"OnError": {"Destination": QUEUE}}, {"OnFailure": QUEUE}, {"OnFailure": {"Arn": QUEUE}}, [QUEUE], QUEUE],
)
def test_inv_63_a_destination_config_has_a_shape(config: Any) -> None:
    """INV-63: said with the shape."""
    assert "Destination" in refusal(destination_config=config)


@pytest.mark.parametrize("arn", [QUEUE, TOPIC])
def test_inv_65_dead_letters_go_to_a_queue_or_topic(arn: str) -> None:
    """INV-65: and to nothing else."""
    assert function(dead_letter_config={"TargetArn": arn}).dead_letter_arn == arn
    assert "takes the ARN of one of sqs, sns" in refusal(dead_letter_config={"TargetArn": OTHER})
    assert "none of them FIFO" in refusal(dead_letter_config={"TargetArn": f"{arn}.fifo"})
    assert 'must be {"TargetArn": ARN}' in refusal(dead_letter_config={"Arn": arn})


def test_inv_64_a_destination_and_dead_letters_may_both_be_set() -> None:
    """INV-64: both get the failure."""
    both = function(destination_config={"OnFailure": {"Destination": TOPIC}}, dead_letter_config={"TargetArn": QUEUE})

    assert (both.on_failure, both.dead_letter_arn) == (TOPIC, QUEUE)
