from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventmap.cli.commands import run_command_line
from eventmap.rules.cognito import TRIGGERS
from eventmap.rules.events import KINDS, kind_of
from eventmap.testing import events
from tests.cli.command import REPOSITORY, Ended, environment, eventmap

NAMES = [kind.name for kind in KINDS]
Command = Callable[..., Ended]


@pytest.fixture
def command(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in this process: these do nothing but print."""

    def run(line: str, *, stdin: str = "") -> Ended:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run_command_line(shlex.split(line))
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def test_an_event_is_made_and_piped_into_a_handler(folder: Path) -> None:
    """`eventmap event sqs --body x | eventmap invoke app:handler -`."""
    event = eventmap("event sqs --body hello", cwd=folder)
    ended = eventmap("invoke handlers:echo -", cwd=folder, stdin=event.stdout)

    assert ended.code == 0
    assert json.loads(ended.stdout) == json.loads(event.stdout) == events.sqs("hello")


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_can_be_made_and_is_recognised(kind: str, command: Command) -> None:
    """Without any option: a sample."""
    made = command(f"event {kind}")

    assert (made.code, made.stderr) == (0, "")
    assert kind_of(json.loads(made.stdout)) == kind


def test_every_kind_is_listed_with_a_sample(command: Command) -> None:
    """The table names them; --json shows an event of each."""
    table = command("event kinds").stdout.splitlines()
    shown = [json.loads(line) for line in command("event kinds --json").stdout.splitlines()]
    rows = [row for row in shown if row.get("trigger") in (None, "PreSignUp_SignUp")]

    assert [line.split()[0] for line in table] == ["kind", *NAMES]
    assert [row["kind"] for row in rows] == NAMES
    assert [kind_of(row["event"]) for row in rows] == NAMES
    assert [kind_of(row["event"]) for row in shown] == [row["kind"] for row in shown]
    assert [row["event"]["triggerSource"] for row in shown if "trigger" in row] == [
        trigger.trigger_sources[0] for trigger in TRIGGERS
    ]
    assert {row["kind"]: row["invocation"] for row in rows}["sns"] == "asynchronous"
    assert "Records[0].eventSource is aws:sqs" in table[1]


def test_the_kind_of_an_event_is_named(command: Command, folder: Path) -> None:
    """Of a file or of standard input; exit 1 = of none."""
    (folder / "event.json").write_text(json.dumps(events.s3("b", "k")))

    by_file = command("event kinds --of event.json")
    by_pipe = command("event kinds --of -", stdin=json.dumps(events.schedule()))
    unknown = command("event kinds --of -", stdin='{"id": 7}')

    assert (by_file.code, by_file.stdout) == (0, "s3\n")
    assert (by_pipe.code, by_pipe.stdout) == (0, "schedule\n")
    assert (unknown.code, unknown.stdout) == (1, "unknown\n")


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (
            "sqs --body b --count 2 --queue q.fifo --group g --attribute k=v=w",
            events.sqs("b", "b", queue="q.fifo", group="g", attributes={"k": "v=w"}),
        ),
        ("sqs --receive-count 3 --body -", events.sqs("from\nstdin", receive_count=3)),
        (
            "sqs --body b --region eu-west-1 --account 111111111111 --seed 5",
            events.sqs("b", origin=events.Origin("eu-west-1", "111111111111", seed=5)),
        ),
        (
            "kinesis --body b --count 3 --stream s --partition-key k",
            events.kinesis("b", "b", "b", stream="s", partition_key="k"),
        ),
        (
            'dynamodb --table t --key a --key b --view-type NEW_IMAGE --new \'{"a": 1, "b": 2.50}\' '
            '--old \'{"a": 1, "b": 2.5, "c": null}\'',
            events.dynamodb(
                events.Change(new={"a": 1, "b": 2.5}, old={"a": 1, "b": 2.5, "c": None}),
                table="t",
                keys=("a", "b"),
                view_type="NEW_IMAGE",
            ),
        ),
        (
            "kafka --body b --topic t --partition 2 --key k --header h=v --offset 5 --cluster c",
            events.kafka("b", topic="t", partition=2, key="k", headers={"h": "v"}, offset=5, cluster="c"),
        ),
        (
            "self-managed-kafka --body b --topic t --partition 2 --key k --header h=v --offset 5 "
            "--bootstrap-servers a:1",
            events.self_managed_kafka(
                "b", topic="t", partition=2, key="k", headers={"h": "v"}, offset=5, bootstrap_servers="a:1"
            ),
        ),
        (
            "active-mq --body b --queue q --attribute k=v --redelivered --count 2",
            events.active_mq("b", "b", queue="q", properties={"k": "v"}, redelivered=True),
        ),
        (
            "rabbit-mq --body b --queue q --virtual-host v --header k=v --redelivered",
            events.rabbit_mq("b", queue="q", virtual_host="v", headers={"k": "v"}, redelivered=True),
        ),
        (
            "documentdb --operation delete --database d --collection c --document '{\"_id\": 1}'",
            events.documentdb({"_id": 1}, operation="delete", database="d", collection="c"),
        ),
        (
            "sns --body b --topic t --subject s --attribute k=v",
            events.sns("b", topic="t", subject="s", attributes={"k": "v"}),
        ),
        (
            "s3 --bucket b --key x --key y --event-name ObjectCreated:Copy --body 12345 --version-id v",
            events.s3("b", "x", "y", event_name="ObjectCreated:Copy", body="12345", version_id="v"),
        ),
        (
            "s3 --bucket b --key x --event-name ObjectRemoved:Delete --version-id v --on-bus",
            events.s3_on_bus("b", "x", event_name="ObjectRemoved:Delete", version_id="v"),
        ),
        ("s3-test --bucket b", events.s3_test("b")),
        (
            "event-bridge --source s --detail-type t --resource r --detail '{\"n\": 1.5}'",
            events.event_bridge("s", "t", {"n": 1.5}, resources=["r"]),
        ),
        ("schedule --name n --of-scheduler", events.schedule("n", of_scheduler=True)),
        (
            "cognito --trigger TokenGeneration_Authentication --event-version 2 --user-name bob --client-id c "
            '--user-attribute email=b@c.d --user-attribute n=1 --request \'{"clientMetadata": {"k": "v"}}\'',
            events.cognito(
                "TokenGeneration_Authentication",
                version="2",
                user_name="bob",
                client_id="c",
                user_attributes={"email": "b@c.d", "n": "1"},
                request={"clientMetadata": {"k": "v"}},
            ),
        ),
        (
            "logs --message a --message b --log-group g --log-stream s",
            events.logs("a", "b", log_group="g", log_stream="s"),
        ),
        ("logs --control", events.logs(control=True)),
        (
            "http-v2 --method POST --path /o/7 --query a=1 --header x=y --body b --stage s --route 'POST /o/{id}' "
            '--authorizer \'{"lambda": {"a": 1}}\'',
            events.http_v2(
                "POST",
                "/o/7",
                query={"a": "1"},
                headers={"x": "y"},
                body="b",
                stage="s",
                route="POST /o/{id}",
                authorizer={"lambda": {"a": 1}},
            ),
        ),
        (
            "http-v1 --method PUT --path /o/7?a=1 --header x=y --body b --stage s --route 'PUT /o/{id}' "
            "--authorizer '{\"a\": 1}'",
            events.http_v1(
                "PUT", "/o/7?a=1", headers={"x": "y"}, body="b", stage="s", route="PUT /o/{id}", authorizer={"a": 1}
            ),
        ),
        (
            "function-url --method PUT --path /o --query a=1 --header x=y --body b --authorizer {}",
            events.function_url("PUT", "/o", query={"a": "1"}, headers={"x": "y"}, body="b", authorizer={}),
        ),
        (
            "alb --method PUT --path /o --query a=1 --header x=y --body b --multi-value-headers",
            events.alb("PUT", "/o", query={"a": "1"}, headers={"x": "y"}, body="b", multi_value_headers=True),
        ),
        (
            "websocket --body b --route-key r --connection-id c --stage s",
            events.websocket("b", route_key="r", connection_id="c", stage="s"),
        ),
        (
            "websocket --route-key $connect --header x=y",
            events.websocket(route_key="$connect", headers={"x": "y"}),
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_every_option_says_what_the_builder_takes(line: str, event: dict[str, Any], command: Command) -> None:
    """The command prints what the test kit makes of the same."""
    made = command(f"event {line}", stdin="from\nstdin")

    assert (made.code, made.stderr) == (0, "")
    assert json.loads(made.stdout) == json.loads(json.dumps(event))


@pytest.mark.parametrize(
    "at", ["2027-05-06T07:08:09Z", "2027-05-06T09:08:09+02:00", "2027-05-06T07:08:09", "1809587289"]
)
def test_the_moment_is_told_in_either_way(at: str, command: Command) -> None:
    """It may be in the future: nothing is done then."""
    assert json.loads(command(f"event event-bridge --at {at}").stdout)["time"] == "2027-05-06T07:08:09Z"


def test_a_body_comes_from_a_file(folder: Path, command: Command) -> None:
    """@FILE, as `match` reads it."""
    (folder / "body.json").write_text('{"a": "ü"}', encoding="utf-8")

    assert json.loads(command("event sqs --body @body.json").stdout) == events.sqs('{"a": "ü"}')


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("event sqs --count 0", "Invalid value for '--count'"),
        ("event sqs --attribute k", "--attribute 'k' is not of the form NAME=VALUE"),
        ("event sqs --body @nowhere", "--body cannot be read: nowhere: No such file or directory"),
        ("event sqs --at yesterday", "--at 'yesterday' is no time"),
        ("event sqs --at 1e30", "--at '1e30' is in no year"),
        ("event sqs --at nan", "--at 'nan' is in no year"),
        ("event sqs --account 7", "account_id '7' is no account: it has twelve digits"),
        ("event dynamodb --new {}", "every item needs the table's key 'id'"),
        ("event dynamodb --new [", "--new is not JSON"),
        ("event dynamodb --new [1]", "--new must be a JSON object, and is list"),
        ("event s3 --event-name Put", "S3 tells of no event 'Put'"),
        ("event s3 --on-bus --key a --key b", "about one object: give one --key"),
        ("event event-bridge --detail 7", "--detail must be a JSON object, and is int"),
        ("event cognito --trigger SignUp", "triggerSource 'SignUp' is none of Cognito's"),
        ("event logs --control --message a", "leave --message out"),
        ("event http-v2 --path x", "path 'x' is none"),
        ("event http-v2 --route nonsense", "route 'nonsense'"),
        ("event kafak", "No such command 'kafak'"),
        ("event kinds --of nowhere", "the event cannot be read: nowhere: No such file or directory"),
        ("event kinds --of - --json", "--of and --json exclude each other"),
        ("event kinds --of -", "the event in standard input is not JSON"),
        ("invoke handlers:echo", "the event is needed, once"),
        ("invoke handlers:echo - --event -", "the event is needed, once"),
    ],
)
def test_what_cannot_be_right_is_one_line_and_exit_2(line: str, words: str, command: Command) -> None:
    """And nothing is printed to be piped on."""
    ended = command(line, stdin="{")

    assert (ended.code, ended.stdout) == (2, "")
    assert words in ended.stderr and ended.stderr.count("\n") == 1


def test_making_an_event_imports_neither_an_event_loop_nor_an_aws_client(folder: Path) -> None:
    """It takes a moment."""
    heavy = ["asyncio", "anyio", "aiohttp", "botocore", "structlog", "rich", "eventmap.service", "pytest"]
    program = (
        "import sys; from eventmap.cli.commands import run_command_line\n"
        "assert run_command_line(['event', 'sqs']) == 0\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment(folder), capture_output=True, text=True
    )

    assert ended.stdout.splitlines()[-1] == "[]", ended.stderr


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        ("arn:aws:kafka:us-east-1:123456789012:cluster/demo/1", "Amazon MSK"),
        ("arn:aws:mq:us-east-1:123456789012:broker:demo:b-1", "Amazon MQ"),
        ("arn:aws-cn:rds:cn-north-1:123456789012:cluster:demo", "Amazon DocumentDB"),
        ("arn:aws:docdb-elastic:us-east-1:123456789012:cluster/1", "Amazon DocumentDB"),
    ],
)
@pytest.mark.parametrize(
    "line",
    [
        "run handlers:echo --sqs ARN",
        "run handlers:echo --kinesis ARN --starting-position LATEST",
        "run handlers:echo --dynamodb ARN --starting-position LATEST",
        "streams ARN",
        "replay ARN handlers:echo --from LATEST",
        "checkpoint set ARN LATEST",
    ],
)
def test_src_140_143_144_146_what_is_not_polled_is_refused_by_name(
    line: str, arn: str, source: str, command: Command
) -> None:
    """SRC-140, 143, 144, 146: its pollers are not ours; their events can be made."""
    ended = command(line.replace("ARN", arn))

    assert ended.code == 2
    assert ended.stderr.startswith(f"eventmap: {source} is not polled here")
    assert "`eventmap event kinds`" in ended.stderr and ended.stderr.count("\n") == 1
