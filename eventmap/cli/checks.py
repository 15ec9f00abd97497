"""What cannot be right whatever the targets turn out to be, refused before anything is looked at."""

from __future__ import annotations

from collections.abc import Iterable

from eventmap.aws.arn import parse_queue
from eventmap.cli.config_file import ConfigFile
from eventmap.cli.failure import Misuse
from eventmap.cli.mappings import SOURCE_FIELDS, STREAM_KINDS, Kind, build_mapping
from eventmap.cli.run_options import (
    BUCKET_SETTINGS,
    FAILURE_SETTINGS,
    HTTP_SETTINGS,
    LISTENER_SETTINGS,
    QUEUE_SETTINGS,
    RULE_SETTINGS,
    SCHEDULE_SETTINGS,
    SERVER_SETTINGS,
    SHARED_SETTINGS,
    SOURCES,
    STREAM_SETTINGS,
    TOPIC_SETTINGS,
    RunOptions,
)
from eventmap.errors import ConfigurationError
from eventmap.function import Function
from eventmap.rules.filtering import filter_for
from eventmap.runtime import loading
from eventmap.shard import LATEST

ONE_PROCESS = (
    "--workers is for queues and streams: {} need one process, which listens and owns the accepted events; it runs as "
    "many invocations at once as its functions allow"
)
_POSITIONS = "TRIM_HORIZON (all that is still there), LATEST (what comes from now on) or AT_TIMESTAMP"


def check(options: RunOptions, config: ConfigFile) -> None:
    """Refuse what cannot be right; `options` are those under the file's. Raises: Misuse."""
    if not options.targets and not config.functions and not options.serves:
        raise Misuse("nothing to run: give a TARGET, module:attribute, or --config with [functions.NAME] tables")
    if options.sources and not options.targets:
        given = options.given_among(SOURCES)
        raise Misuse(
            f"{_are(given, 'map')} to a TARGET, and none is given: --config functions have their sources there"
        )
    _check_what_settings_are_for(options)
    _check_place(options)
    _check_state(options)
    check_events(options.events)
    check_schedule_state(options.schedule_state)
    _check_configured(options, config)
    _check_positions(options, config)
    _check_server(options)
    if options.watch and options.isolation == "inline":
        raise Misuse("--watch cannot reload inline handlers: a module cannot be imported anew safely; use process")
    try:
        for name, target in options.named_targets:
            check_target(target)
            _check_function(options, name or "function")
        for kind, source in options.sources:
            _check_mapping(kind, source, options)
        _check_function(options, "function")
    except ConfigurationError as error:
        raise Misuse(str(error)) from None


def check_target(target: str) -> None:
    """Raises: Misuse for what leads nowhere by its form alone."""
    try:
        loading.split(target)
    except loading.MalformedTarget:
        raise Misuse(
            f"target {target!r} is not of the form needed: module:attribute or path/to/file.py:attribute"
        ) from None


def _check_mapping(kind: Kind, source: str, options: RunOptions) -> None:
    named = {SOURCE_FIELDS[kind]: source, "function_name": "function"}
    build_mapping(kind, {**options.settings_of(kind), **named})
    if kind == "sqs" or kind in STREAM_KINDS:
        filter_for(kind, options.filter)


def _check_function(options: RunOptions, name: str) -> None:
    # With streams only, what is said about failures is theirs.
    settings = options.function_settings(takes_events=options.has_pushes or not options.has_streams)
    attempts = options.maximum_retry_attempts
    if options.has_pushes and options.has_streams and attempts is not None and not 0 <= attempts <= 2:
        raise Misuse(
            f"--maximum-retry-attempts {attempts} is for asynchronous events, too, which are retried 0 to 2 times: "
            "give a stream more with --config"
        )
    Function(
        handler="module:handler", function_name=name, **{"isolation": "process", **settings, "environment": options.env}
    )


def _check_configured(options: RunOptions, config: ConfigFile) -> None:
    """A function without a source is called by its name, if anybody listens."""
    for function in config.functions:
        if not function.mappings and options.http is None:
            kinds = ", ".join(f"[[functions.{function.name}.{kind}]]" for kind in SOURCE_FIELDS)
            raise Misuse(
                f"{options.config}: [functions.{function.name}] has no source: add one of {kinds}, or [http] to call "
                "it by its name"
            )


def _check_what_settings_are_for(options: RunOptions) -> None:
    polled = options.sqs or options.has_streams
    listens = options.http is not None or options.http_api is not None
    shared = options.given_among((*SHARED_SETTINGS, "filter", "report_batch_item_failures"))
    for names, given, kinds in (
        (shared, polled, "--sqs, --kinesis and --dynamodb"),
        (options.given_among(QUEUE_SETTINGS), options.sqs, "--sqs"),
        (options.given_among(STREAM_SETTINGS), options.has_streams, "--kinesis and --dynamodb"),
        (options.given_among(TOPIC_SETTINGS), options.sns, "--sns"),
        (options.given_among(BUCKET_SETTINGS), options.s3, "--s3"),
        (options.given_among(SCHEDULE_SETTINGS), options.schedule, "--schedule"),
        (options.given_among(RULE_SETTINGS), options.event_pattern, "--event-pattern"),
        (options.given_among(HTTP_SETTINGS), options.http_api is not None, "--http-api"),
        (options.given_among(LISTENER_SETTINGS), listens, "--http and --http-api"),
        (options.given_among(SERVER_SETTINGS), options.http is not None, "--http"),
    ):
        if names and not given:
            raise Misuse(f"{_are(names, 'are')} for {kinds}, and none is given")
    if options.filter_policy_scope and not options.filter_policy:
        raise Misuse("--filter-policy-scope says what --filter-policy looks at, and none is given")
    # Where the only sources are an App's, it is known later whether events are accepted.
    names = options.given_among(FAILURE_SETTINGS)
    if names and options.sources and not options.has_streams and not options.has_pushes:
        raise Misuse(f"{_are(names, 'are')} for streams and asynchronous events, and none is given")


def _check_server(options: RunOptions) -> None:
    if options.workers > 1 and (options.has_pushes or options.http_api is not None):
        raise Misuse(ONE_PROCESS.format("pushes, schedules and servers"))
    if options.http_api is not None and options.http_api == options.http != 0:
        raise Misuse(f"--http-api and --http are two servers, and both are to listen on port {options.http}")
    if options.http is None:
        return
    from eventmap.cli.server import http_settings

    http_settings(options)


def _check_place(options: RunOptions) -> None:
    for name in options.given_among(("endpoint_url", "profile")) if options.local else ():
        raise Misuse(f"--local brings its own endpoint and credentials: leave out {name}")
    if options.endpoint_url and not options.endpoint_url.startswith(("http://", "https://")):
        raise Misuse(f"--endpoint-url {options.endpoint_url!r} is not of the form http(s)://HOST[:PORT]")


def _check_state(options: RunOptions) -> None:
    if options.local and (given := options.given_among(("leases", "state"))):
        raise Misuse(
            f"--local begins its streams anew each time, so there is nothing to go on from: leave out {given[0]}"
        )
    check_leases(options.leases, options.state)


def check_leases(leases: str | None, state: str | None) -> None:
    """Raises: Misuse for what `--leases` and `--state` cannot say."""
    kind, colon, table = (leases or "sqlite").partition(":")
    if not (kind == "sqlite" and not colon) and not (kind == "dynamodb" and table):
        raise Misuse(f"--leases {leases!r} is neither sqlite nor dynamodb:TABLE")
    if kind == "dynamodb" and state is not None:
        raise Misuse("--state is the file of --leases sqlite: leave one of them out")
    if state == "":
        raise Misuse("--state needs a file")


def check_schedule_state(state: str | None) -> None:
    """Raises: Misuse for what `--schedule-state` cannot say."""
    if state in ("", "dynamodb:"):
        raise Misuse("--schedule-state needs a file, or dynamodb:TABLE")


def check_events(events: str | None) -> None:
    """Raises: Misuse for what `--events` cannot say."""
    if events in ("", "sqs:"):
        raise Misuse("--events needs a file, or sqs:QUEUE")
    if events is not None and events.startswith("sqs:"):
        from eventmap.sources.event_queue import FUNCTION_IN_QUEUE_NAME

        try:
            parse_queue(events.removeprefix("sqs:").replace(FUNCTION_IN_QUEUE_NAME, "function"))
        except ConfigurationError as error:
            raise Misuse(f"--events: {error}") from None


def _check_positions(options: RunOptions, config: ConfigFile) -> None:
    if options.has_streams and options.starting_position is None and not options.local:
        raise Misuse(f"a stream needs --starting-position {_POSITIONS}")
    if options.local:
        if options.send and options.starting_position == LATEST:
            raise Misuse(
                "--send comes before the first read, so LATEST would pass it by: leave out --starting-position"
            )
        return
    for function in config.functions:
        for mapping in function.mappings:
            if mapping.kind in STREAM_KINDS and "starting_position" not in mapping.settings:
                raise Misuse(
                    f"{options.config}: [[functions.{function.name}.{mapping.kind}]] needs starting_position = "
                    f'"TRIM_HORIZON", "LATEST" or "AT_TIMESTAMP"'
                )


def _are(names: Iterable[str], plural: str) -> str:
    """`--a is`, `--a, --b are`; `--a maps`, `--a, --b map`."""
    names = list(names)
    singular = {"are": "is"}.get(plural, f"{plural}s")
    return f"{', '.join(names)} {singular if len(names) == 1 else plural}"
