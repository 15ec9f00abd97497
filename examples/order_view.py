"""CQRS: a table of orders, and beside it a view that answers "what did each customer spend?".

The table is written by whoever takes orders. Its stream keeps the view: each change is applied in order, and applying
one twice changes nothing, since the view remembers how far it is with each order.

eventmap run examples.order_view:handler --local --dynamodb orders --send examples/order_items.jsonl --until-caught-up
"""

import os
import sqlite3
from contextlib import closing
from decimal import Decimal

from eventmap import each_record

VIEW = os.environ.get("ORDER_VIEW", "order-view.sqlite")
SCHEMA = "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT, total TEXT, sequence TEXT)"


@each_record
def handler(record, context):
    """Apply one change of one order to the view."""
    change = record["dynamodb"]
    order_id, sequence = change["Keys"]["id"]["S"], change["SequenceNumber"].zfill(40)
    with closing(sqlite3.connect(VIEW)) as view, view:
        view.execute(SCHEMA)
        row = view.execute("SELECT sequence FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row is not None and row[0] >= sequence:
            return  # seen before: a stream delivers at least once
        order = change.get("NewImage")  # none: the order was deleted
        customer, total = (order["customer"]["S"], order["total"]["N"]) if order else (None, "0")
        view.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?)", (order_id, customer, total, sequence))
    print(f"{record['eventName']} {order_id}: {customer} {total}")


def spent(customer):
    """The query side."""
    with closing(sqlite3.connect(VIEW)) as view:
        rows = view.execute("SELECT total FROM orders WHERE customer = ?", (customer,))
        return sum((Decimal(total) for (total,) in rows), Decimal(0))
