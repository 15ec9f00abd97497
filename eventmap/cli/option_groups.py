"""Options that several commands share, declared once: a class for each group, a decorator that gives them to a command.

An option is a class attribute: its annotation is what typer reads, its value the default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from eventmap.cli import event_parameters, parameters, push_parameters, stream_parameters
from eventmap.cli.parameters import LogFormat

Command = Callable[..., int]


class Sources:
    """What is mapped to each handler."""

    sqs: parameters.Sqs = None
    kinesis: stream_parameters.Kinesis = None
    dynamodb: stream_parameters.DynamoDb = None
    sns: push_parameters.Sns = None
    s3: push_parameters.S3 = None
    schedule: event_parameters.ScheduleOption = None
    event_pattern: event_parameters.EventPattern = None
    http_api: event_parameters.HttpApi = None


class PolledSettings:
    """Settings of the mappings of queues and streams."""

    batch_size: parameters.BatchSize = None
    maximum_batching_window_in_seconds: parameters.Window = None
    maximum_concurrency: parameters.MaximumConcurrency = None
    filter: parameters.Filter = None
    report_batch_item_failures: parameters.ReportBatchItemFailures = None
    starting_position: stream_parameters.StartingPositionOption = None
    starting_position_timestamp: stream_parameters.StartingPositionTimestamp = None
    parallelization_factor: stream_parameters.ParallelizationFactor = None
    maximum_record_age_in_seconds: stream_parameters.MaximumRecordAge = None
    bisect_batch_on_function_error: stream_parameters.BisectBatch = None
    tumbling_window_in_seconds: stream_parameters.TumblingWindow = None


class PushSettings:
    """Settings of subscriptions, bucket notifications, schedules, rules and routes."""

    filter_policy: push_parameters.FilterPolicy = None
    filter_policy_scope: push_parameters.FilterPolicyScopeOption = None
    s3_events: push_parameters.S3Events = None
    s3_prefix: push_parameters.S3Prefix = None
    s3_suffix: push_parameters.S3Suffix = None
    schedule_timezone: event_parameters.ScheduleTimezone = None
    bus: event_parameters.Bus = None
    bus_bucket: event_parameters.BusBucket = None
    http_format: event_parameters.HttpFormatOption = None
    keep_subscriptions: push_parameters.KeepSubscriptions = False


class FunctionSettings:
    """Settings of each function."""

    timeout: parameters.Timeout = None
    memory_size: parameters.MemorySize = None
    env: parameters.Env = None
    isolation: parameters.IsolationOption = None


class FailureSettings:
    """What becomes of asynchronous events that fail, and of a stream's batches."""

    maximum_retry_attempts: push_parameters.MaximumRetryAttempts = None
    maximum_event_age_in_seconds: push_parameters.MaximumEventAge = None
    on_success: push_parameters.OnSuccess = None
    on_failure: push_parameters.OnFailure = None
    dead_letter: push_parameters.DeadLetter = None


class Server:
    """Who may reach the server, and how."""

    host: push_parameters.Host = None
    public_url: push_parameters.PublicUrl = None
    allow_anonymous: push_parameters.AllowAnonymous = False


class Where:
    """Where AWS is."""

    local: parameters.Local = False
    endpoint_url: parameters.EndpointUrl = None
    region: parameters.Region = None
    profile: parameters.Profile = None


class Run:
    """How it runs, until when, and what it remembers."""

    config: parameters.Config = None
    until_empty: parameters.UntilEmpty = False
    until_caught_up: stream_parameters.UntilCaughtUp = False
    leases: stream_parameters.Leases = None
    state: stream_parameters.State = None
    failover_seconds: stream_parameters.FailoverSeconds = None
    events: push_parameters.Events = None
    schedule_state: event_parameters.ScheduleState = None
    buses: event_parameters.Buses = None
    control: event_parameters.Control = None
    send: parameters.Send = None
    workers: parameters.Workers = 1
    watch: parameters.Watch = False
    drain_seconds: parameters.DrainSeconds = None
    log_format: parameters.LogFormatOption = LogFormat.AUTO
    verbose: parameters.Verbose = False


EVERYTHING = (Sources, PolledSettings, PushSettings, FunctionSettings, FailureSettings, Server, Where, Run)


def takes(*groups: type) -> Callable[[Command], Command]:
    """Give a command with `**given` the options of these groups behind its own parameters, in that order."""

    def give(command: Command) -> Command:
        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        shared = [parameter for group in groups for parameter in _parameters(group)]
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [parameter.replace(kind=positional) for parameter in (*own, *shared)]
        # Where typer looks for them.
        vars(command)["__signature__"] = inspect.Signature(parameters)
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return command

    return give


def _parameters(group: type) -> list[inspect.Parameter]:
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter(name, kind, default=vars(group)[name], annotation=annotation)
        for name, annotation in get_type_hints(group, include_extras=True).items()
    ]
