from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import make_queue, send_to, started

pytestmark = pytest.mark.server


def saying(text: str) -> str:
    return f"def handler(event, context):\n    print('{text}')\n"


def test_a_saved_handler_is_reloaded_within_half_a_second(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """The next message runs in the new code; the best of three saves counts, for the machine may be busy."""
    write("mine.py", saying("version 0"))
    make_queue(endpoint_url, queue_name, "a")
    took_s = []
    arguments = f"run mine:handler --sqs {queue_name} --endpoint-url {endpoint_url} --watch"
    with started(arguments, cwd=folder) as run:
        run.wait_for("watching .")
        run.wait_for("version 0")
        for version in (1, 2, 3):
            saved = time.monotonic()
            write("mine.py", saying(f"version {version}"))
            run.wait_for("reloaded: mine.py changed", times=version)
            took_s.append(time.monotonic() - saved)
            send_to(endpoint_url, queue_name, "b")
            run.wait_for(f"version {version}")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0
    assert min(took_s) <= 0.5


def test_code_that_does_not_import_leaves_the_old_one_at_work(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """The error is shown; no message is lost to a typing error."""
    write("mine.py", saying("ancient"))
    make_queue(endpoint_url, queue_name)
    arguments = f"run mine:handler --sqs {queue_name} --endpoint-url {endpoint_url} --watch"
    with started(arguments, cwd=folder) as run:
        run.wait_for("watching .")
        write("mine.py", "def handler(event, context:\n")
        run.wait_for("mine.py changed, but cannot be used; the old code goes on")
        run.wait_for("SyntaxError")
        send_to(endpoint_url, queue_name, "a")
        run.wait_for("ancient")
        run.process.terminate()
        ended = run.end()

    assert ended.code == 0
    assert "done                       1" in ended.stdout


def test_changed_mappings_of_an_app_ask_for_a_restart(
    folder: Path, write: Callable[[str, str], Path], endpoint_url: str, queue_name: str
) -> None:
    """New code is used at once, new settings are not, and that is said."""
    text = "from eventmap import App\napp = App()\n@app.sqs('{}', batch_size={})\ndef handler(event, context): ...\n"
    write("mine.py", text.format(queue_name, 1))
    make_queue(endpoint_url, queue_name)
    with started("run", "mine:app", "--endpoint-url", endpoint_url, "--watch", cwd=folder) as run:
        run.wait_for("watching .")
        write("mine.py", text.format(queue_name, 2))
        run.wait_for("functions or mappings have changed: restart to apply that")
        run.wait_for("reloaded: mine.py changed")
