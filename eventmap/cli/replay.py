"""`eventmap replay`: feed what a stream still holds into a handler, without touching any checkpoint."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from eventmap.cli import parameters, stream_parameters
from eventmap.cli.parameters import LogFormat

_FROM_HELP = "TRIM_HORIZON, epoch seconds, ISO 8601, or a sequence number, itself included."


def replay(
    source: stream_parameters.Source,
    target: parameters.Target,
    from_: Annotated[str, typer.Option("--from", metavar="TIME|SEQUENCE", help=_FROM_HELP)],
    shard: stream_parameters.Shard = None,
    batch_size: parameters.BatchSize = None,
    maximum_batching_window_in_seconds: parameters.Window = None,
    filter: parameters.Filter = None,
    report_batch_item_failures: parameters.ReportBatchItemFailures = None,
    parallelization_factor: stream_parameters.ParallelizationFactor = None,
    maximum_retry_attempts: stream_parameters.MaximumRetryAttempts = None,
    bisect_batch_on_function_error: stream_parameters.BisectBatch = None,
    tumbling_window_in_seconds: stream_parameters.TumblingWindow = None,
    timeout: parameters.Timeout = None,
    memory_size: parameters.MemorySize = None,
    env: parameters.Env = None,
    isolation: parameters.IsolationOption = None,
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
    drain_seconds: parameters.DrainSeconds = None,
    log_format: parameters.LogFormatOption = LogFormat.AUTO,
    verbose: parameters.Verbose = False,
) -> int:
    """Feed a stream's history into a handler, up to now. Checkpoints are neither read nor written.

    \b
    eventmap replay dynamodb:orders app:handler --from 2026-01-05T10:00:00Z
    eventmap replay kinesis:clicks app:handler --from TRIM_HORIZON --maximum-retry-attempts 0
    """
    return _start(**locals())


def _start(source: str, target: str, from_: str, shard: str | None, **given: Any) -> int:
    from eventmap.cli.application import parse_source
    from eventmap.cli.replaying import options_for_replay
    from eventmap.cli.run_options import RunOptions
    from eventmap.cli.start import start

    kind, name = parse_source(source)
    options = RunOptions.given(targets=[target], until_caught_up=True, **{kind: [name]}, **given)
    return start(options_for_replay(options, from_, shard))
