"""`eventmap run`: poll sources and run handlers until a signal, or until the sources are done."""

from __future__ import annotations

from typing import Any

from eventmap.cli import push_parameters
from eventmap.cli.option_groups import EVERYTHING, takes


@takes(*EVERYTHING)
def run(targets: push_parameters.NamedTargets = None, http: push_parameters.Http = None, **given: Any) -> int:
    """Run handlers against their sources. SIGINT or SIGTERM drains, a second one forces.

    Exit 0 = drained, 1 = failed, 2 = misuse.

    \b
    eventmap run app:handler --local --sqs orders --send orders.jsonl --until-empty
    eventmap run app:handler --dynamodb orders --starting-position LATEST
    eventmap run app:handler --local --sns placed-orders --send orders.jsonl --until-empty
    eventmap run app:handler --schedule 'cron(0 3 * * ? *)' --schedule-timezone Europe/Berlin
    eventmap run app:handler --http-api 8000
    eventmap run services.billing:app --workers 4
    """
    from eventmap.cli.run_options import RunOptions
    from eventmap.cli.start import start

    return start(RunOptions.given(targets=targets, http=http, **given))
