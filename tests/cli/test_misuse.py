"""Every wrong use is one line on standard error that says what to do, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import eventmap

CASES = [
    ("run", 2, "nothing to run: give a TARGET"),
    ("run handlers", 2, "expected|not of the form needed: module:attribute"),
    ("run handlers:handler", 2, "needs a source: add --sqs, --kinesis, --dynamodb, --sns, --s3, --schedule"),
    ("run handlers:handler --http 0", 2, "to call it by its name use `eventmap serve`"),
    ("run handlers:app --sqs q", 2, "is an App and brings its own sources: leave out --sqs"),
    ("run handlers:app --local --dynamodb table", 2, "is an App and brings its own sources: leave out --dynamodb"),
    ("run handlers:app --batch-size 5", 2, "--batch-size is for --sqs, --kinesis and --dynamodb, and none is given"),
    ("run handlers:handler --kinesis s --maximum-concurrency 2", 2, "--maximum-concurrency is for --sqs, and none is"),
    (
        "run handlers:handler --sqs q --parallelization-factor 2 --tumbling-window-in-seconds 5",
        2,
        "--parallelization-factor, --tumbling-window-in-seconds are for --kinesis and --dynamodb, and none is given",
    ),
    (
        "run handlers:handler --sqs q --on-failure arn:aws:sqs:eu-west-1:123456789012:q",
        2,
        "--on-failure is for streams and asynchronous events, and none is given",
    ),
    ("run handlers:handler --kinesis s", 2, "a stream needs --starting-position TRIM_HORIZON"),
    ("run handlers:handler --kinesis s --starting-position OLDEST", 2, "'OLDEST' is not one of"),
    ("run handlers:handler --kinesis s/t --local", 2, "names no Kinesis stream"),
    ("run handlers:handler --dynamodb table --starting-position AT_TIMESTAMP", 2, "Unsupported starting position"),
    (
        "run handlers:handler --kinesis s --local --starting-position-timestamp 5",
        2,
        "startingPositionTimestamp belongs to starting position AT_TIMESTAMP",
    ),
    ("run handlers:handler --kinesis s --starting-position-timestamp yesterday", 2, "write epoch seconds"),
    ("run handlers:handler --kinesis s --starting-position-timestamp 2999-01-01", 2, "is not between 1970 and now"),
    (
        "run handlers:handler --kinesis s --local --parallelization-factor 11",
        2,
        "Value '11' at 'parallelizationFactor'",
    ),
    ("run handlers:handler --kinesis s --local --maximum-record-age-in-seconds 5", 2, "maximumRecordAgeInSeconds"),
    ("run handlers:handler --kinesis s --local --on-failure queue", 2, "must be the ARN of an SQS queue"),
    ("run handlers:handler --kinesis s --local --on-failure arn:aws:sns:r:1:t", 2, "must be a queue, not arn:aws:sns"),
    ("run handlers:handler --sns t --local --on-success arn:aws:s3:::b", 2, "OnSuccess takes the ARN of one of sqs"),
    (
        "run handlers:handler --sns t --local --on-success arn:aws:lambda:r:1:function:f",
        2,
        "must be a queue or a function that runs here, not arn:aws:lambda",
    ),
    ("run handlers:handler --sns t --local --dead-letter queue", 2, "The destination ARN queue is invalid"),
    (
        "run handlers:handler --sns t --kinesis s --local --maximum-retry-attempts 3",
        2,
        "--maximum-retry-attempts 3 is for asynchronous events, too, which are retried 0 to 2 times",
    ),
    ("run handlers:handler --sns t --maximum-retry-attempts 3", 2, "Value '3' at 'maximumRetryAttempts'"),
    ("run handlers:handler --sns t --maximum-event-age-in-seconds 59", 2, "Value '59' at 'maximumEventAgeInSeconds'"),
    (
        "run handlers:handler --sqs q --maximum-event-age-in-seconds 60",
        2,
        "--maximum-event-age-in-seconds is for asynchronous events, and nothing accepts any: add --http, --sns, --s3",
    ),
    ("run handlers:handler --sqs q --events x", 2, "--events is for asynchronous events, and nothing accepts any"),
    ("run handlers:handler --sns t --events sqs:", 2, "--events needs a file, or sqs:QUEUE"),
    ("run handlers:handler --sns t --events sqs:a/b", 2, "--events: 'a/b' names no queue"),
    ("run handlers:handler --sqs q --keep-subscriptions", 2, "--keep-subscriptions is for topics and buckets"),
    ("run handlers:handler --sns a.b", 2, "'a.b' names no topic"),
    ("run handlers:handler --sns t.fifo", 2, "is a FIFO topic, which cannot invoke a function"),
    ("run handlers:handler --sns arn:aws:sqs:eu-west-1:123456789012:t", 2, "names no topic"),
    ("run handlers:handler --s3 A_B", 2, "'A_B' names no bucket"),
    ("run handlers:handler --s3 photos --s3-events ObjectCreated", 2, "'ObjectCreated' is no event of S3"),
    ("run handlers:handler --sqs q --s3-prefix x --s3-suffix y", 2, "--s3-prefix, --s3-suffix are for --s3, and none"),
    ("run handlers:handler --s3 photos --filter-policy {}", 2, "--filter-policy is for --sns, and none is given"),
    ("run handlers:handler --sns t --filter-policy-scope MessageBody", 2, "says what --filter-policy looks at"),
    (
        "run handlers:handler --sns t --filter-policy {",
        2,
        "Invalid parameter: Attributes Reason: FilterPolicy: ",
    ),
    (
        'run handlers:handler --sns t --filter-policy {"a":{"b":[1]}}',
        2,
        "Filter policy scope MessageAttributes does not support nested filter policy",
    ),
    ("run handlers:handler --sns t --filter-policy-scope Body", 2, "'Body' is not one of"),
    ("run handlers:picky --sns t", 2, "picky is made with @each_record, which reports failed records"),
    ("run handlers:handler --sns t --batch-size 5", 2, "--batch-size is for --sqs, --kinesis and --dynamodb"),
    ("run handlers:handler --s3 photos --send handlers.py", 2, "--send fills a bucket of --local only"),
    ("run handlers:handler --sns t --send handlers.py", 2, "handlers.py, line 2: Expecting value"),
    ("run handlers:handler --s3 photos --local --send empty.json", 2, 'line 1: expected an object with "key"'),
    (
        "run handlers:handler --sns t --workers 2",
        2,
        "--workers is for queues and streams: pushes, schedules and servers need one process",
    ),
    ("run handlers:handler --schedule rate(1,minute) --workers 2", 2, "schedules and servers need one process"),
    ("run handlers:handler --http-api 0 --workers 2", 2, "schedules and servers need one process"),
    ("run handlers:handler --schedule rate(1)", 2, "Parameter ScheduleExpression is not valid"),
    ("run handlers:handler --schedule-timezone Mars/North --schedule rate(1)", 2, "is not valid|Mars/North"),
    (
        "run handlers:handler --sqs q --schedule-timezone UTC",
        2,
        "--schedule-timezone is for --schedule, and none is given",
    ),
    ("run handlers:handler --sqs q --bus shop", 2, "--bus is for --event-pattern, and none is given"),
    ("run handlers:handler --sqs q --bus-bucket b", 2, "--bus-bucket is for --event-pattern, and none is given"),
    ('run handlers:handler --event-pattern {"source":["a"]} --bus-bucket Photos', 2, "'Photos' names no bucket"),
    (
        'run handlers:handler --event-pattern {"source":["a"]} --bus-bucket photos --workers 2',
        2,
        "schedules and servers need one process",
    ),
    ("run handlers:handler --sqs q --http-format 1.0", 2, "--http-format is for --http-api, and none is given"),
    ("run handlers:handler --sqs q --schedule-state x", 2, "--schedule-state is for schedules, and there are none"),
    ("run handlers:handler --schedule rate(1) --schedule-state dynamodb:", 2, "--schedule-state needs a file"),
    ("run handlers:handler --sqs q --buses x", 2, "--buses is for event buses, and nobody serves them: add --http"),
    ("run handlers:handler --sqs q --control x", 2, "nobody serves it: add --http"),
    ('run handlers:handler --event-pattern {"source":["a"]}', 2, "nobody could put any on its bus: add --http PORT"),
    ("run handlers:handler --http 0 --event-pattern {}", 2, "Event pattern is not valid"),
    ("run handlers:handler --http-api 9 --http 9", 2, "are two servers, and both are to listen on port 9"),
    ("run handlers:app --http-api 0", 2, "declares none: write @app.http"),
    ("run a=handlers:handler b=handlers:handler --http-api 0 --local", 2, "take the same requests"),
    ("run handlers:handler --sqs q --http 0 --workers 2", 2, "which listens and owns the accepted events"),
    ("run handlers:handler --sqs q --host 0.0.0.0", 2, "--host is for --http and --http-api, and none is given"),
    ("run handlers:handler --sqs q --http 65536", 2, "--http"),
    ("run a,b=handlers:handler --sqs q", 2, "Value 'a,b' at 'functionName'"),
    ("run a=handlers:handler a=handlers:echo --sqs q", 2, "two functions are called 'a'"),
    ("run a=handlers:app", 2, "is an App, whose functions have their names: leave out a="),
    ("run handlers:pushed --sqs q", 2, "is an App and brings its own sources: leave out --sqs"),
    ("run handlers:pushed --workers 2 --region eu-west-1", 2, "pushes need one process|topics and buckets need one"),
    ("serve handlers:handler --host 0.0.0.0", 2, "lets other machines invoke the functions"),
    ("serve handlers:handler --host 0.0.0.0", 2, "EVENTMAP_ACCESS_KEY_ID and EVENTMAP_SECRET_ACCESS_KEY"),
    ("serve handlers:handler --public-url hooks.example.com", 2, "is not of the form http(s)://HOST"),
    ("serve handlers:handler --until-empty", 2, "--until-empty is for queues, topics and buckets, and none is mapped"),
    ("serve handlers:handler --http 1", 2, "No such option: --http"),
    ("serve handlers:handler --port -1", 2, "--port"),
    ("serve handlers:nothing", 1, "has no attribute 'nothing'"),
    ("run handlers:handler --kinesis s --local --state x", 2, "nothing to go on from: leave out --state"),
    ("run handlers:handler --kinesis s --local --leases sqlite", 2, "nothing to go on from: leave out --leases"),
    ("run handlers:handler --kinesis s --starting-position LATEST --leases redis", 2, "neither sqlite nor dynamodb"),
    (
        "run handlers:handler --kinesis s --starting-position LATEST --leases dynamodb:t --state x",
        2,
        "--state is the file of --leases sqlite",
    ),
    ("run handlers:handler --kinesis s --local --until-empty", 2, "a stream is never empty: use --until-caught-up"),
    ("run handlers:handler --sqs q --local --until-caught-up", 2, "--until-caught-up is for streams, and none"),
    ("run handlers:handler --sqs q --state x", 2, "--state is for streams, and none is mapped"),
    ("run handlers:handler --sqs q --failover-seconds 3", 2, "--failover-seconds is for streams, and none is mapped"),
    ("run handlers:handler --kinesis s --starting-position LATEST --failover-seconds 0", 2, "--failover-seconds"),
    (
        "run handlers:handler --kinesis s --local --send handlers.py --starting-position LATEST",
        2,
        "--send comes before the first read",
    ),
    (
        "run handlers:handler --kinesis s --send handlers.py --starting-position TRIM_HORIZON",
        2,
        "--send fills a stream of --local only",
    ),
    ("run handlers:handler --kinesis s --local --send handlers.py", 2, "handlers.py, line 2: Expecting value"),
    (
        "run handlers:handler --dynamodb table --local --send empty.json",
        2,
        "empty.json, line 1: expected a JSON object",
    ),
    ("run handlers:handler --sqs q --bogus", 2, "No such option: --bogus"),
    ("run handlers:handler --sqs q --batch-size 0", 2, "Value '0' at 'batchSize' failed to satisfy constraint"),
    ("run handlers:handler --sqs q --batch-size 11", 2, "Maximum batch window in seconds must be greater than 0"),
    ("run handlers:handler --sqs q --batch-size x", 2, "--batch-size"),
    ("run handlers:handler --sqs q --timeout 901", 2, "Value '901' at 'timeout'"),
    ("run handlers:handler --sqs q --memory-size 1", 2, "Value '1' at 'memorySize'"),
    ("run handlers:handler --sqs q --env NAME", 2, "not of the form NAME=VALUE"),
    ("run handlers:handler --sqs q --env AWS_REGION=x", 2, "Reserved keys used in this request: AWS_REGION"),
    ("run handlers:handler --sqs q --filter {", 2, "Invalid filter pattern definition"),
    ('run handlers:handler --sqs q --filter {"body":{"a":1}}', 2, 'field "body.a"'),
    ("run handlers:handler --sqs a/b", 2, "names no queue"),
    ("run handlers:handler --sqs q --isolation jail", 2, "'jail' is not one of 'process', 'inline'"),
    ("run handlers:handler --sqs q --isolation inline --env A_B=1", 2, "inline isolation cannot give it"),
    ("run handlers:handler --sqs q --isolation inline --watch", 2, "--watch cannot reload inline handlers"),
    ("run handlers:handler --sqs q --local --endpoint-url http://x", 2, "leave out --endpoint-url"),
    ("run handlers:handler --sqs q --local --profile x", 2, "leave out --profile"),
    ("run handlers:handler --sqs q --send missing.jsonl", 2, "missing.jsonl: No such file or directory"),
    ("run handlers:handler --sqs q --sqs r --local --send handlers.py", 2, "--send needs exactly one source"),
    ("run handlers:handler --sqs q --local --send handlers.py", 2, "handlers.py, line 2: Expecting value"),
    ("run handlers:handler --sqs q --workers 0", 2, "--workers"),
    ("run --sqs q --config empty.toml", 2, "nothing to run"),
    ("run --config missing.toml", 2, "missing.toml: No such file or directory"),
    ("run nowhere:handler --sqs q", 1, "there is no module 'nowhere'"),
    ("run handlres:handler --sqs q", 1, "did you mean 'handlers'?"),
    ("run handlers:handlr --sqs q", 1, "did you mean 'handler'?"),
    ("run handlers:json.decoder --sqs q", 1, "is of type module: neither a handler nor an App"),
    ("run handlers:handler --sqs q", 1, "no AWS credentials found"),
    ("run handlers:handler --sqs q --region eu-west-1", 1, "or add --local to run against the embedded emulator"),
    ("run handlers:handler --sqs q --region eu-west-1 --profile x", 1, "x"),
    ("run handlers:handler --sqs q --endpoint-url ftp://x", 2, "not of the form http(s)://HOST"),
    (
        "run handlers:handler --sqs arn:aws:sqs:eu-west-1:123456789012:q --region us-east-1",
        1,
        "the region asked for is",
    ),
    ("send", 2, "Missing argument 'QUEUE'"),
    ("send a/b", 2, "names no queue"),
    ("send q missing.jsonl", 2, "missing.jsonl: No such file or directory"),
    ("send q handlers.py", 2, "handlers.py, line 2"),
    ("send q --region eu-west-1", 1, "no AWS credentials found"),
    ("publish", 2, "Missing argument 'TOPIC'"),
    ("publish a/b", 2, "names no topic"),
    ("publish t.fifo", 2, "t.fifo is a FIFO topic, whose messages need a group"),
    ("publish t missing.jsonl", 2, "missing.jsonl: No such file or directory"),
    ("publish t handlers.py", 2, "handlers.py, line 2"),
    ("publish t empty.json", 2, 'empty.json, line 1: expected a JSON string, or an object with "message"'),
    ("publish t --region eu-west-1", 1, "no AWS credentials found"),
    ("events", 1, "does not exist: nothing has been recorded there yet"),
    ("events --state lost", 2, "'lost' is not one of"),
    ("events --events sqs:q", 2, "events in SQS are seen there"),
    ("events --state failed retry x", 2, "options stand behind the command"),
    ("events retry", 2, "say which events: their request ids, or --all"),
    ("events retry x --all", 2, "say which events: their request ids, or --all"),
    ("events drop x --function f", 2, "--function is for --all"),
    ("events drop x", 2, "nobody can be asked here: add --yes"),
    ("events bogus", 2, "No such command 'bogus'"),
    ("invoke handlers:echo", 2, "--event"),
    ("invoke handlers:echo --event missing.json", 2, "missing.json: No such file or directory"),
    ("invoke handlers:echo --event handlers.py", 2, "handlers.py is not JSON"),
    ("invoke handlers --event empty.json", 2, "not of the form needed"),
    ("invoke handlers:app --event empty.json", 2, "is an App with 2 functions (one, two): name one handler"),
    ("invoke handlers:nothing --event empty.json", 1, "has no attribute 'nothing'"),
    ("match {} {}", 2, "Event pattern is not valid"),
    ('match {"a":1} {}', 2, 'Event pattern is not valid at "a"'),
    ('match {"a":[1]} [1]', 2, "EVENT must be a JSON object, not a list"),
    ('match {"a":[1]} {', 2, "EVENT is not JSON"),
    ("match @missing.json {}", 2, "missing.json: No such file or directory"),
    ("match {} {} --source sqs", 2, "Invalid filter pattern definition"),
    ('match {"data":["a"]} {} --source kinesis', 2, '"data" must be an object'),
    ('match {"body":["a"]} {"Records":[]} --source sqs', 2, "give one element of its Records"),
    ("streams", 2, "Missing argument 'SOURCE'"),
    ("streams orders", 2, "'orders' could be a stream or a table: write kinesis:orders or dynamodb:orders"),
    ("streams sqs:orders", 2, "'sqs:orders' names no stream: write kinesis:NAME, dynamodb:TABLE, or an ARN of either"),
    ("streams arn:aws:sqs:eu-west-1:123456789012:q", 2, "names no stream: write kinesis:NAME"),
    ("streams arn:aws:kinesis:eu-west-1:1:stream/s", 2, "is not the ARN of a Kinesis stream"),
    ("streams kinesis:", 2, "must name a stream, not ''"),
    ("streams kinesis:s/t", 2, "names no Kinesis stream"),
    ("streams kinesis:s --kinesis s", 2, "No such option: --kinesis"),
    ("streams kinesis:s --function=", 2, "--function needs a name"),
    ("streams kinesis:s --leases x", 2, "neither sqlite nor dynamodb:TABLE"),
    ("streams kinesis:s --leases dynamodb:leases-{function}", 2, "say which with --function"),
    ("streams kinesis:s --region eu-west-1", 1, "no AWS credentials found"),
    ("streams arn:aws:dynamodb:eu-west-1:123456789012:table/orders", 1, "no AWS credentials found"),
    ("checkpoint set kinesis:s", 2, "Missing argument 'SEQUENCE|TRIM_HORIZON|LATEST'"),
    ("checkpoint set kinesis:s END", 2, "neither a sequence number nor TRIM_HORIZON nor LATEST"),
    ("checkpoint set orders LATEST", 2, "write kinesis:orders or dynamodb:orders"),
    ("checkpoint reset", 2, "Missing argument 'SOURCE'"),
    ("checkpoint bogus", 2, "No such command 'bogus'"),
    ("replay kinesis:s handlers:handler", 2, "Missing option '--from'"),
    ("replay kinesis:s --from TRIM_HORIZON", 2, "Missing argument 'TARGET'"),
    ("replay orders handlers:handler --from TRIM_HORIZON", 2, "write kinesis:orders or dynamodb:orders"),
    ("replay kinesis:s handlers:handler --from soon", 2, "--from 'soon' is no time"),
    ("replay dynamodb:table handlers:handler --from 5 --filter [1]", 2, "cannot be joined with --from"),
    ("replay kinesis:s handlers:app --from TRIM_HORIZON", 2, "into one handler: name one of its handlers"),
    ("match - -", 2, "cannot both be standard input"),
    ("bogus", 2, "No such command 'bogus'"),
]


@pytest.mark.parametrize(("line", "code", "said"), CASES, ids=[line for line, _, _ in CASES])
def test_misuse_is_one_line_and_an_exit_code(
    line: str, code: int, said: str, folder: Path, write: Callable[[str, str], Path]
) -> None:
    """2 for what can never be right, 1 for what does not go with the world as it is."""
    write("empty.toml", "")
    write("empty.json", "{}")

    ended = eventmap(line, cwd=folder)

    assert ended.code == code, ended.stderr
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("eventmap: ")
    assert any(each in ended.stderr for each in said.split("|"))


def test_an_error_in_the_users_module_shows_the_users_own_frames(
    folder: Path, write: Callable[[str, str], Path]
) -> None:
    """The traceback is about their code only, and the last line says what could not be done."""
    write("helper.py", "import os\nTABLE = os.environ['TABLE_OF_ORDERS']\n")
    write("broken.py", "import helper\n\ndef handler(event, context): ...\n")

    ended = eventmap("run", "broken:handler", "--sqs", "q", cwd=folder)

    lines = ended.stderr.splitlines()
    assert ended.code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "eventmap: target 'broken:handler' could not be imported: KeyError: 'TABLE_OF_ORDERS'"
    assert [line.split('"')[1] for line in lines if line.startswith("  File")] == [
        str(folder / "broken.py"),
        str(folder / "helper.py"),
    ]


def test_a_variable_given_on_the_command_line_is_there_while_the_module_is_imported(
    folder: Path, write: Callable[[str, str], Path]
) -> None:
    """So the run gets as far as the next thing that is missing."""
    write("needs.py", "import os\nTABLE = os.environ['TABLE']\n\ndef handler(event, context): ...\n")

    ended = eventmap("run", "needs:handler", "--sqs", "q", "--env", "TABLE=x", "--region", "eu-west-1", cwd=folder)

    assert "no AWS credentials found" in ended.stderr


def test_a_syntax_error_is_shown_where_it_is(folder: Path, write: Callable[[str, str], Path]) -> None:
    """File, line and text, and no frames of ours."""
    write("broken.py", "def handler(event, context:\n    pass\n")

    ended = eventmap("run", "broken:handler", "--sqs", "q", cwd=folder)

    assert ended.code == 1
    assert f'File "{folder / "broken.py"}", line 1' in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("eventmap: target 'broken:handler' could not be imported: Syntax")


def test_a_module_that_ends_the_process_is_told_so(folder: Path, write: Callable[[str, str], Path]) -> None:
    """Whatever a module does on import, the command answers."""
    write("ends.py", "import os\nos._exit(7)\n")

    ended = eventmap("run", "ends:handler", "--sqs", "q", cwd=folder)

    assert (ended.code, len(ended.stderr.splitlines())) == (1, 1)
    assert "exit status 7" in ended.stderr


def test_the_commands_alone_show_the_help(folder: Path) -> None:
    """Nothing asked for is misuse with the whole help as its message; --help is none."""
    alone, asked = eventmap("", cwd=folder), eventmap("--help", cwd=folder)

    assert (alone.code, asked.code) == (2, 0)
    assert "Usage: eventmap" in alone.stderr and "Usage: eventmap" in asked.stdout
