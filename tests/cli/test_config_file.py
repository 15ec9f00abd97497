from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import bodies_in, eventmap, make_queue

WRONG = [
    ("region = 'x'\nlocal = maybe\n", "line 2"),
    ("regoin = 'x'", "'regoin' is not known at the top; did you mean region?"),
    ("region = 5", "region must be text, not 5"),
    ("local = 'yes'", "local must be true or false"),
    ("local = true\nprofile = 'x'", "local brings its own endpoint"),
    ("functions = 1", "functions must be tables"),
    ("[functions.a]", '[functions.a] needs handler = "module:attribute"'),
    ("[functions.a]\nhandler = 'm:a'", "[functions.a] has no source"),
    ("[functions.a]\nhandler = 'm:a'\ntimout = 5", "'timout' is not known in [functions.a]; did you mean timeout?"),
    ("[functions.a]\nhandler = 'm:a'\ntimeout = 0\n[[functions.a.sqs]]\nqueue = 'q'", "[functions.a]: 1 validation"),
    ("[functions.a]\nhandler = 'm:a'\n[functions.a.sqs]\nqueue = 'q'", "with double brackets"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]", '[[functions.a.sqs]] needs queue = "NAME"'),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\nbatchsize = 1", "did you mean batch_size?"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\nbatch_size = 0", "'batchSize'"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\ntopics = ['t']", "Kafka only"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.kinesis]]\nqueue = 'q'", 'needs stream = "NAME"'),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.dynamodb]]\nstream = 'q'", 'needs table = "NAME"'),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.kinesis]]\nstream = 's'", "needs starting_position = "),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.kinesis]]\nstream = 's'\nmaximum_concurrency = 2",
        "shards x parallelization_factor",
    ),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.kinesis]]\nstream = 's'\nparallelisation_factor = 2",
        "did you mean parallelization_factor?",
    ),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.kinesis]]\nstream = 's'\nstarting_position_timestamp = 'x'",
        "[[functions.a.kinesis]]: starting_position_timestamp 'x' is no time",
    ),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.dynamodb]]\ntable = 'a b'", "names no DynamoDB table"),
    ("http = 5", "http must be a table: [http]"),
    ("[http]\nprot = 5", "'prot' is not known in [http]; did you mean port?"),
    ("[http]\nport = '9000'", "[http]: port must be a whole number"),
    ("[http]\nport = true", "[http]: port must be a whole number"),
    ("[http]\naccess_keys = 'x'", "[http]: access_keys must be a table"),
    ("[http]\naccess_keys = {AKID = 5}", '[http]: access_keys must be {ACCESS_KEY_ID = "SECRET"}'),
    ("[http]\nallow_anonymous = 1", "[http]: allow_anonymous must be true or false"),
    ("events = 5", "events must be text, not 5"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sns]]\nqueue = 'q'", 'needs topic = "NAME"'),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sns]]\ntopic = 'a b'", "'a b' names no topic"),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.sns]]\ntopic = 't'\nfilter_polcy = {}",
        "did you mean filter_policy?",
    ),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.sns]]\ntopic = 't'\nraw_message_delivery = true",
        "raw delivery does not apply to functions (SNS-59)",
    ),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.s3]]\nbucket = 'b'\nevents = ['s3:x']",
        "names no bucket|is no event",
    ),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.s3]]\nbucket = 'photos'\nevent = []", "did you mean events?"),
    (
        "[functions.a]\nhandler = 'm:a'\n[[functions.a.sns]]\ntopic = 't'\nfilter_policy = {a = []}",
        "[[functions.a.sns]]: Invalid parameter: Attributes Reason: FilterPolicy: Empty arrays are not allowed",
    ),
    ("[functions.a]\nhandler = 'm:a'\nmaximum_retry_attempts = 3", "Value '3' at 'maximumRetryAttempts'"),
    ("[functions.a]\nhandler = 'm:a'\ndead_letter_config = {Arn = 'x'}", 'deadLetterConfig must be {"TargetArn": ARN}'),
    ("[functions.a]\nhandler = 'handlers:app'\n[[functions.a.sqs]]\nqueue = 'q'", "is an App: give it as a TARGET"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_file_is_one_line_that_names_the_place(
    text: str, said: str, folder: Path, write: Callable[[str, str], Path]
) -> None:
    """The file, the table, and what to write instead."""
    write("eventmap.toml", text)

    ended = eventmap("run", "--config", "eventmap.toml", cwd=folder)

    assert ended.code == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "eventmap.toml" in ended.stderr and any(each in ended.stderr for each in said.split("|"))


def test_a_secret_of_the_file_is_not_shown(folder: Path, write: Callable[[str, str], Path]) -> None:
    """Not even where its table is wrong."""
    write("eventmap.toml", "[http]\naccess_keys = {AKID = 'verysecret', OTHER = 5}\n")

    ended = eventmap("serve", "--config", "eventmap.toml", cwd=folder)

    assert ended.code == 2
    assert "verysecret" not in ended.stderr


@pytest.mark.server
def test_functions_of_a_file_run_with_their_settings(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """Two functions and their mappings, one of them in a module of the current folder; the command line goes first."""
    write(
        "eventmap.toml",
        f"""
        endpoint_url = "http://127.0.0.1:9"

        [functions.priced]
        handler = "handlers:picky"
        timeout = 2

        [[functions.priced.sqs]]
        queue = "{queue_name}"
        retry_backoff_s = [0]

        [functions.shown]
        handler = "handlers.py:handler"
        environment = {{ STAGE = "dev" }}

        [[functions.shown.sqs]]
        queue = "{queue_name}-other"
        batch_size = 1
        """,
    )
    make_queue(endpoint_url, queue_name, "fine", "bad", visibility_timeout=5)
    make_queue(endpoint_url, f"{queue_name}-other", "x", "y")

    arguments = f"run --config eventmap.toml --endpoint-url {endpoint_url} --until-empty"
    ended = eventmap(arguments, cwd=folder)

    assert ended.code == 0, ended.stderr
    assert "priced reports its failed records one by one, so ReportBatchItemFailures is on" in ended.stderr
    assert "[priced] good fine" in ended.stdout
    assert ended.stdout.count("[shown] START") == 2
    assert bodies_in(endpoint_url, f"{queue_name}-dlq") == ["bad"]
