"""`eventmap serve`, called by the AWS CLI and boto3 as they are; asynchronous events survive whatever happens to it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cli.command import DEADLINE_S, Started, environment, eventmap, started

pytestmark = pytest.mark.server

AWS = str(Path(sysconfig.get_path("scripts"), "aws"))
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a secret", "AWS_DEFAULT_REGION": "us-east-1"}
_SERVING = re.compile(r"serving at (http://\S+?)\. Ctrl-C")


@contextmanager
def serving(line: str, folder: Path, env: dict[str, str] | None = None) -> Iterator[tuple[Started, str]]:
    """`eventmap serve` at work on a free port; yields it and its URL."""
    with started(f"serve {line} --port 0", cwd=folder, env=env) as run:
        run.wait_for("/invocations")
        [url] = _SERVING.findall("".join(run.stderr))
        yield run, url


def stopped(run: Started) -> tuple[int, str]:
    """Ask it to drain; returns its exit code and what it printed on standard output."""
    run.process.terminate()
    ended = run.end()
    return ended.code, ended.stdout


@pytest.fixture
def client() -> Iterator[Callable[..., Any]]:
    """Makes boto3 clients of a URL; they are closed at the end."""
    with ExitStack() as stack:

        def made(url: str, keys: dict[str, str] = KEYS) -> Any:
            lambda_client = boto3.client(
                "lambda",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                config=Config(retries={"total_max_attempts": 1}),
            )
            stack.callback(lambda_client.close)
            return lambda_client

        yield made


def invoke(folder: Path, url: str, *options: str) -> dict[str, Any]:
    """`aws lambda invoke`, as a user types it; what it printed, and the payload."""
    (folder / "event.json").write_text('{"id": 7}')
    ended = subprocess.run(
        [AWS, "lambda", "invoke", "--endpoint-url", url, "--payload", "fileb://event.json", *options, "out.json"],
        cwd=folder,
        env=environment(folder, KEYS),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stderr
    text = (folder / "out.json").read_text()
    return {**json.loads(ended.stdout), "payload": json.loads(text) if text else None}


def test_the_aws_cli_invokes_a_function_by_its_name(folder: Path) -> None:
    """Its answer is the function's, its log is here; the summary counts what was asynchronous."""
    with serving("handlers:echo shout=handlers.py:echo", folder) as (run, url):
        answered = invoke(folder, url, "--function-name", "echo")
        accepted = invoke(folder, url, "--function-name", "shout", "--invocation-type", "Event")
        run.wait_for("echoing for shout")
        run.wait_for("REPORT", times=2)
        code, stdout = stopped(run)

    assert (answered["StatusCode"], answered["payload"]) == (200, {"id": 7})
    assert (accepted["StatusCode"], accepted["payload"]) == (202, None)
    assert f"POST {url}/2015-03-31/functions/shout/invocations" in "".join(run.stderr)
    assert "[echo] echoing for echo" in stdout
    assert code == 0
    assert re.search(r"accepted +1\n +done +1\n", stdout)


def test_an_error_of_the_function_is_an_answer(folder: Path, client: Callable[..., Any]) -> None:
    """With its error object; the server goes on."""
    with serving("handlers:fails", folder) as (run, url):
        answer = client(url).invoke(FunctionName="fails", Payload=b"{}")
        document = json.loads(answer["Payload"].read())
        with pytest.raises(ClientError) as unknown:
            client(url).invoke(FunctionName="nobody")
        code, _ = stopped(run)

    assert (answer["FunctionError"], document["errorMessage"], code) == ("Unhandled", "no good", 0)
    assert unknown.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_app_brings_functions_that_nothing_else_calls(folder: Path, client: Callable[..., Any]) -> None:
    """One without a source, called by its name beside a queue's; with the settings of the command line over its own."""
    with serving("handlers:app --local --timeout 5", folder) as (run, url):
        client(url).invoke(FunctionName="two", Payload=b"{}")
        _, stdout = stopped(run)

    assert "two two" in stdout
    assert "polling at the embedded emulator: first -> one, second -> two" in "".join(run.stderr)


def test_callers_from_elsewhere_sign_with_a_key_of_the_file(
    folder: Path, write: Callable[[str, str], Path], client: Callable[..., Any]
) -> None:
    """Anybody else is refused; another secret, too."""
    write(
        "eventmap.toml",
        """
        [http]
        host = "127.0.0.2"
        port = 1
        access_keys = { AKIDEXAMPLE = "a secret" }

        [functions.echo]
        handler = "handlers:echo"
        aliases = ["live"]
        """,
    )
    with serving("--config eventmap.toml", folder) as (run, url):
        answer = client(url).invoke(FunctionName="echo:live", Payload=b"5")["Payload"].read()
        with pytest.raises(ClientError) as wrong:
            client(url, {**KEYS, "AWS_SECRET_ACCESS_KEY": "another"}).invoke(FunctionName="echo")
        with pytest.raises(urllib.error.HTTPError) as anonymous:
            urllib.request.urlopen(f"{url}/2015-03-31/functions/echo/invocations", data=b"5")
        code, _ = stopped(run)

    assert (answer, code) == (b"5", 0)
    assert wrong.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert anonymous.value.code == 403
    anonymous.value.close()


def test_a_key_of_the_environment_is_kept_from_handlers(
    folder: Path, write: Callable[[str, str], Path], client: Callable[..., Any]
) -> None:
    """Callers must sign with it; the function's process does not know it."""
    write("names.py", "import os\n\ndef handler(event, context):\n    return sorted(os.environ)\n")
    keys = {"EVENTMAP_ACCESS_KEY_ID": "AKIDEXAMPLE", "EVENTMAP_SECRET_ACCESS_KEY": "a secret"}

    with serving("names:handler --host 127.0.0.2", folder, keys) as (run, url):
        names = json.loads(client(url).invoke(FunctionName="handler")["Payload"].read())
        stopped(run)

    assert "PATH" in names
    assert not {*keys} & {*names}


def test_one_half_of_a_key_is_misuse(folder: Path) -> None:
    """Nobody meant to be without the other."""
    ended = eventmap("serve handlers:echo", cwd=folder, env={"EVENTMAP_ACCESS_KEY_ID": "AKIDEXAMPLE"})

    assert ended.code == 2
    assert "EVENTMAP_SECRET_ACCESS_KEY belong together, and one of them is not set" in ended.stderr


def test_an_accepted_event_survives_kill_9(folder: Path, client: Callable[..., Any]) -> None:
    """INV-40: what was answered with 202 runs with the next start; `eventmap events` shows it meanwhile."""
    with serving("handlers:slow --timeout 60", folder) as (run, url):
        client(url).invoke(FunctionName="slow", InvocationType="Event", Payload=b"{}")
        run.wait_for("began")
        run.send(signal.SIGKILL)
        run.end()
    (folder / "go").touch()

    owed = [json.loads(line) for line in eventmap("events", cwd=folder).stdout.splitlines()]
    with serving("handlers:slow --timeout 60", folder) as (again, _):
        again.wait_for("ended")
        again.wait_for("REPORT")
        code, stdout = stopped(again)
    done = [json.loads(line) for line in eventmap("events", cwd=folder).stdout.splitlines()]

    assert [(each["function"], each["state"], each["attempts"]) for each in owed] == [("slow", "queued", 0)]
    assert (code, [each["state"] for each in done]) == (0, ["succeeded"])
    assert re.search(r"waiting +0\n", stdout)


def test_what_waits_for_a_retry_is_kept_and_told(folder: Path, client: Callable[..., Any]) -> None:
    """INV-41: the drain does not wait a minute, nor does a retry by hand; the summary says where to look."""
    with serving("handlers:fails --maximum-retry-attempts 1", folder) as (run, url):
        client(url).invoke(FunctionName="fails", InvocationType="Event", Payload=b"{}")
        run.wait_for("REPORT")
        [waiting] = wait_for_state(folder, "waiting")
        retried = eventmap(f"events retry {waiting['request_id']} --yes", cwd=folder)
        [failed] = wait_for_state(folder, "failed")
        client(url).invoke(FunctionName="fails", InvocationType="Event", Payload=b"{}")
        wait_for_state(folder, "waiting")
        code, stdout = stopped(run)

    assert (retried.code, retried.stdout) == (0, "1 event due now\n")
    assert (failed["condition"], failed["attempts"], code) == ("RetriesExhausted", 2, 0)
    assert re.search(r"given up +1 .*\n +waiting +1 +\(the next run goes on; look with `eventmap events`\)", stdout)


def test_two_servers_do_not_share_a_file(folder: Path) -> None:
    """The second one says whose it is, and ends; with a file of its own it works."""
    with serving("handlers:echo", folder) as (run, _):
        second = eventmap("serve handlers:echo --port 0", cwd=folder)
        with serving("handlers:echo --events other.sqlite", folder) as (other, _):
            stopped(other)
        code, _ = stopped(run)

    assert (second.code, code) == (1, 0)
    assert len(second.stderr.splitlines()) == 1
    assert "events.sqlite" in second.stderr


def test_a_fleet_keeps_its_events_in_sqs(
    folder: Path, endpoint_url: str, queue_name: str, client: Callable[..., Any]
) -> None:
    """The queue is made; nothing is kept on this machine."""
    where = f"--endpoint-url {endpoint_url} --region us-east-1 --events sqs:{queue_name}"
    with serving(f"handlers:echo {where}", folder) as (run, url):
        client(url).invoke(FunctionName="echo", InvocationType="Event", Payload=b"{}")
        run.wait_for("echoing for echo")
        run.wait_for("REPORT")
        code, stdout = stopped(run)

    assert code == 0
    assert re.search(r"accepted +1\n +done +1\n", stdout)
    assert not (folder / ".eventmap").exists()


def test_a_port_that_is_taken_is_one_line(folder: Path) -> None:
    """Exit 1, and nothing has begun."""
    with serving("handlers:echo", folder) as (run, url):
        port = url.rpartition(":")[2]
        ended = eventmap(f"serve handlers:echo --events other.sqlite --port {port}", cwd=folder)
        stopped(run)

    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert port in ended.stderr


def test_the_summary_is_json_where_lines_are(folder: Path, client: Callable[..., Any]) -> None:
    """Off a terminal a program reads it."""
    with serving("handlers:echo --log-format json", folder) as (run, url):
        client(url).invoke(FunctionName="echo", InvocationType="Event", Payload=b"{}")
        run.wait_for("REPORT")
        wait_for_state(folder, "succeeded")
        _, stdout = stopped(run)

    summary = json.loads(stdout.splitlines()[-1])["summary"]
    assert summary["events"] == {
        "accepted": 1,
        "done": 1,
        "retried": 0,
        "failed": 0,
        "expired": 0,
        "dropped": 0,
        "throttles": 0,
        "repeated": 0,
        "destination_failures": 0,
        "owed": 0,
    }
    assert summary["left_behind"] == 0


def wait_for_state(folder: Path, state: str) -> list[dict[str, Any]]:
    """The events in that state, once there is one."""
    for _ in range(100):
        ended = eventmap(f"events --state {state}", cwd=folder)
        if ended.stdout:
            return [json.loads(line) for line in ended.stdout.splitlines()]
    raise AssertionError(f"no event is {state}: {ended}")
