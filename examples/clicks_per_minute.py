"""A count for every minute, with a tumbling window: the state goes from invocation to invocation, the last one reports.

eventmap run examples.clicks_per_minute:app
"""

import json
from base64 import b64decode

from eventmap import App

app = App()
COUNTS: list[dict[str, object]] = []


@app.kinesis("clicks", starting_position="TRIM_HORIZON", batch_size=500, tumbling_window_in_seconds=60)
def count(event, context):
    """Add a batch to the minute's counts; when the minute is over, report them."""
    state = event["state"]
    for record in event["Records"]:
        page = json.loads(b64decode(record["kinesis"]["data"]))["page"]
        state[page] = state.get(page, 0) + 1
    if event["isFinalInvokeForWindow"]:
        COUNTS.append({"minute": event["window"]["start"], "shard": event["shardId"], **state})
        print(f"{event['window']['start']} {event['shardId']}: {json.dumps(state, sort_keys=True)}")
    return {"state": state}
