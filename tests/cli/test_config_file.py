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
    ("[functions.a]\nhandler = 'm:a'", "[functions.a] has no queue"),
    ("[functions.a]\nhandler = 'm:a'\ntimout = 5", "'timout' is not known in [functions.a]; did you mean timeout?"),
    ("[functions.a]\nhandler = 'm:a'\ntimeout = 0\n[[functions.a.sqs]]\nqueue = 'q'", "[functions.a]: 1 validation"),
    ("[functions.a]\nhandler = 'm:a'\n[functions.a.sqs]\nqueue = 'q'", "with double brackets"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]", '[[functions.a.sqs]] needs queue = "NAME"'),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\nbatchsize = 1", "did you mean batch_size?"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\nbatch_size = 0", "'batchSize'"),
    ("[functions.a]\nhandler = 'm:a'\n[[functions.a.sqs]]\nqueue = 'q'\ntopics = ['t']", "Kafka only"),
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
    assert "eventmap.toml" in ended.stderr and said in ended.stderr


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
