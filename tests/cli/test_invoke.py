from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import eventmap


def test_the_result_is_on_stdout_and_the_log_on_stderr(folder: Path) -> None:
    """So that the result can be piped on."""
    ended = eventmap("invoke", "handlers:echo", "--event", "-", cwd=folder, stdin='{"n": 1}')

    assert ended.code == 0
    assert json.loads(ended.stdout) == {"n": 1}
    assert [line.split()[0] for line in ended.stderr.splitlines()] == ["START", "echoing", "END", "REPORT"]
    assert "echoing for echo" in ended.stderr


@pytest.mark.parametrize("isolation", ["process", "inline"])
def test_a_function_error_exits_1_with_its_error_object_on_stdout(folder: Path, isolation: str) -> None:
    """INV-30's object, wherever the function runs."""
    (folder / "event.json").write_text("{}")

    ended = eventmap("invoke", "handlers:fails", "--event", "event.json", "--isolation", isolation, cwd=folder)

    assert ended.code == 1
    assert {"errorType": "ValueError", "errorMessage": "no good"}.items() <= json.loads(ended.stdout).items()


def test_a_module_that_does_not_import_is_a_function_error(folder: Path, write: Callable[[str, str], Path]) -> None:
    """INV-31's object, as Lambda would answer."""
    write("broken.py", "import nowhere\n")

    ended = eventmap("invoke", "broken:handler", "--event", "-", cwd=folder, stdin="{}")

    assert ended.code == 1
    assert json.loads(ended.stdout)["errorType"] == "Runtime.ImportModuleError"


def test_the_function_settings_reach_the_handler(folder: Path) -> None:
    """Its variables, and its memory size."""
    ended = eventmap("invoke handlers.py:variables --event - --env STAGE=dev --memory-size 256", cwd=folder, stdin="{}")

    shown = json.loads(ended.stdout)
    assert (shown["STAGE"], shown["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) == ("dev", "256")


def test_the_timeout_ends_the_handler(folder: Path) -> None:
    """INV-33's object."""
    ended = eventmap("invoke handlers:forever --event - --timeout 1", cwd=folder, stdin="{}")

    assert ended.code == 1
    assert json.loads(ended.stdout)["errorType"] == "Sandbox.Timedout"


def test_an_app_with_one_function_is_invoked_by_itself(folder: Path, write: Callable[[str, str], Path]) -> None:
    """There is only one it can be."""
    text = "from eventmap import App\napp = App()\n@app.sqs('q')\ndef only(event, context):\n    return 'only'\n"
    write("single.py", text)

    ended = eventmap("invoke", "single:app", "--event", "-", cwd=folder, stdin="{}")

    assert json.loads(ended.stdout) == "only"
