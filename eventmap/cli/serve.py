"""`eventmap serve`: the Lambda-compatible API and the receivers' routes, beside whatever is polled."""

from __future__ import annotations

from typing import Any

from eventmap.cli import push_parameters
from eventmap.cli.option_groups import EVERYTHING, takes


@takes(*EVERYTHING)
def serve(targets: push_parameters.NamedTargets = None, port: push_parameters.Port = None, **given: Any) -> int:
    """Serve functions as Lambda's API does, for the AWS CLI and SDKs; sources work as in `eventmap run`.

    Exit 0 = drained, 1 = failed, 2 = misuse. Without sources an event comes from who invokes a function, without a
    TARGET functions and mappings are those that are made by API.

    \b
    eventmap serve app:handler
    aws lambda invoke --endpoint-url http://127.0.0.1:9000 --function-name handler out.json
    eventmap serve bill=app:handler services/mail.py:send --port 9001 --timeout 30
    eventmap serve app:handler --sns placed-orders --public-url https://hooks.example.com
    """
    from eventmap.cli.run_options import RunOptions
    from eventmap.cli.start import start

    return start(RunOptions.given(targets=targets, http=port, serves=True, **given))
