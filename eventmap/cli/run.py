"""`eventmap run`: poll queues and run handlers until a signal, or until the queues are empty."""

from __future__ import annotations

from eventmap.cli import parameters
from eventmap.cli.parameters import LogFormat


def run(
    targets: parameters.Targets = None,
    sqs: parameters.Sqs = None,
    batch_size: parameters.BatchSize = None,
    maximum_batching_window_in_seconds: parameters.Window = None,
    maximum_concurrency: parameters.MaximumConcurrency = None,
    filter: parameters.Filter = None,
    report_batch_item_failures: parameters.ReportBatchItemFailures = None,
    timeout: parameters.Timeout = None,
    memory_size: parameters.MemorySize = None,
    env: parameters.Env = None,
    isolation: parameters.IsolationOption = None,
    local: parameters.Local = False,
    endpoint_url: parameters.EndpointUrl = None,
    region: parameters.Region = None,
    profile: parameters.Profile = None,
    config: parameters.Config = None,
    until_empty: parameters.UntilEmpty = False,
    send: parameters.Send = None,
    workers: parameters.Workers = 1,
    watch: parameters.Watch = False,
    drain_seconds: parameters.DrainSeconds = None,
    log_format: parameters.LogFormatOption = LogFormat.AUTO,
    verbose: parameters.Verbose = False,
) -> int:
    """Run handlers against their queues. SIGINT or SIGTERM drains, a second one forces.

    Exit 0 = drained, 1 = failed, 2 = misuse.

    \b
    eventmap run app:handler --sqs orders
    eventmap run app:handler --local --sqs orders --send orders.jsonl --until-empty
    eventmap run services.billing:app --workers 4
    """
    given = dict(locals())
    from eventmap.cli.run_options import RunOptions
    from eventmap.cli.start import start

    return start(RunOptions.given(**given))
