"""Event sourcing: accounts are what their events say, and nothing else.

Every deposit and withdrawal is an event on a Kinesis stream, with the account as its partition key: the events of one
account stay in order. The balances are a file that can be thrown away and rebuilt from the stream's history:

eventmap run examples.account:handler --kinesis accounts --starting-position TRIM_HORIZON
rm accounts.sqlite && eventmap replay kinesis:accounts examples.account:handler --from TRIM_HORIZON
"""

import json
import os
import sqlite3
from base64 import b64decode
from contextlib import closing

from eventmap import each_record

ACCOUNTS = os.environ.get("ACCOUNTS", "accounts.sqlite")
SCHEMA = "CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, balance INTEGER, version INTEGER)"


def apply(balance, version, event):
    """The next (balance, version). An event that cannot follow is a defect of the writer: it stops the line."""
    if event["version"] <= version:
        return balance, version  # delivered again
    if event["version"] != version + 1:
        raise ValueError(f"event {event['version']} of {event['account']} came after {version}")
    return balance + (event["amount"] if event["type"] == "deposited" else -event["amount"]), event["version"]


@each_record
def handler(record, context):
    """Apply one event."""
    event = json.loads(b64decode(record["kinesis"]["data"]))
    with closing(sqlite3.connect(ACCOUNTS)) as file, file:
        file.execute(SCHEMA)
        row = file.execute("SELECT balance, version FROM accounts WHERE id = ?", (event["account"],)).fetchone()
        balance, version = apply(*(row or (0, 0)), event)
        file.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)", (event["account"], balance, version))
    print(f"{event['account']}: {balance} after event {version}")
