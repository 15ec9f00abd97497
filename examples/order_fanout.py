"""One order, three functions: each is subscribed to the topic of placed orders, fails alone and is retried alone.

eventmap run examples.order_fanout:app --local --send examples/placed_orders.jsonl --until-empty
"""

import json
from decimal import Decimal

from eventmap import App

app = App()


def order_of(event):
    """What was published. SNS hands a function one message at a time."""
    return json.loads(event["Records"][0]["Sns"]["Message"], parse_float=Decimal)


@app.sns("placed-orders")
def bill(event, context):
    """Every order is billed."""
    order = order_of(event)
    print(f"bill for order {order['id']}: {order['total']} EUR to {order['customer']}")


@app.sns("placed-orders")
def ship(event, context):
    """Every order is shipped; one without an address fails, and bills and thanks are none of its business."""
    order = order_of(event)
    print(f"order {order['id']} goes to {order['address']}")


@app.sns("placed-orders", filter_policy={"total": [{"numeric": [">=", 100]}]}, filter_policy_scope="MessageBody")
def thank(event, context):
    """Only large orders come here: SNS itself filters."""
    order = order_of(event)
    print(f"a thank-you to {order['customer']} for order {order['id']}")
