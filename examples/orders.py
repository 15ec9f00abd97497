"""Orders from a queue: price each one, refuse what cannot be priced.

eventmap run examples.orders:handler --local --sqs orders --send examples/orders.jsonl --until-empty
"""

import json
from decimal import Decimal

from eventmap import each_record

PRICES = {"apple": Decimal("0.40"), "bread": Decimal("2.80"), "cheese": Decimal("5.25"), "milk": Decimal("1.15")}


@each_record
def handler(record, context):
    """Price one order. An order that raises is retried alone; after three attempts SQS sets it aside."""
    order = json.loads(record["body"])
    total = sum(PRICES[line["item"]] * line["quantity"] for line in order["lines"])
    print(f"order {order['id']} of {order['customer']}: {total} EUR")
