"""An order as a saga over a bus: payment, then stock, and the payment given back if there is no stock.

eventmap serve examples.order_saga:app --local --port 9000

aws events put-events --endpoint-url http://127.0.0.1:9000 --entries \\
  '[{"Source": "shop", "DetailType": "OrderPlaced", "Detail": "{\\"id\\": 1, \\"item\\": \\"tea\\", \\"total\\": 20}"}]'

Each step hears of one event and tells of another; none knows the others. A step may be told twice, so each writes what
it did under the order's id first and answers a repetition with what it answered before.
"""

import json

import boto3

from eventmap import App

BUS = "default"
SOURCE = "shop"
STOCK = {"tea": 2, "coffee": 0}

app = App()
payments = {}  # by order: in a real shop, tables
reservations = {}


def tell(detail_type, order):
    """Put an event on the bus; a refusal of the bus fails the step, and the step is tried again."""
    answer = boto3.client("events").put_events(
        Entries=[{"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(order), "EventBusName": BUS}]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{detail_type} was not taken: {answer['Entries'][0]['ErrorMessage']}")
    print(f"order {order['id']}: {detail_type}")


@app.event({"source": [SOURCE], "detail-type": ["OrderPlaced"]})
@app.function(timeout=20)
def take_payment(event, context):
    order = event["detail"]
    payments.setdefault(order["id"], "paid")
    tell("PaymentTaken", order)


@app.event({"source": [SOURCE], "detail-type": ["PaymentTaken"]})
@app.function(timeout=20)
def reserve_stock(event, context):
    order = event["detail"]
    if order["id"] not in reservations:
        has_stock = STOCK.get(order["item"], 0) > 0
        if has_stock:
            STOCK[order["item"]] -= 1
        reservations[order["id"]] = has_stock
    tell("StockReserved" if reservations[order["id"]] else "StockMissing", order)


@app.event({"source": [SOURCE], "detail-type": ["StockMissing"]})
@app.function(timeout=20)
def give_back_payment(event, context):
    """The compensation."""
    order = event["detail"]
    payments[order["id"]] = "given back"
    tell("OrderCancelled", order)


@app.event({"source": [SOURCE], "detail-type": ["StockReserved"], "detail": {"total": [{"numeric": [">=", 0]}]}})
@app.function(timeout=20)
def ship(event, context):
    tell("OrderShipped", event["detail"])
