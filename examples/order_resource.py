"""A REST resource: orders created, read, listed, changed and deleted over HTTP, kept in a DynamoDB table.

eventmap run examples.order_resource:app --local --http-api 8000

curl -X POST localhost:8000/orders -d '{"item": "tea", "quantity": 2}'
"""

import base64
import decimal
import json
import uuid

import boto3

from eventmap import App

TABLE = "order-resource"
LARGEST_QUANTITY = 1_000

app = App()
_tables = {}


def table():
    """The table, made by whoever finds none: an emulator begins empty."""
    if TABLE not in _tables:
        dynamodb = boto3.resource("dynamodb")
        try:
            found = dynamodb.create_table(
                TableName=TABLE,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        except dynamodb.meta.client.exceptions.ResourceInUseException:
            found = dynamodb.Table(TABLE)
        found.wait_until_exists()
        _tables[TABLE] = found
    return _tables[TABLE]


@app.http("POST /orders")
@app.function(timeout=20)
def create(event, context):
    """Answers 201 with where the order is."""
    order, wrong = order_of(event)
    if wrong:
        return answer(400, {"message": wrong})
    order["id"] = str(uuid.uuid4())
    table().put_item(Item=order)
    return answer(201, order, {"location": f"/orders/{order['id']}"})


@app.http("GET /orders")
@app.function(timeout=20, function_name="list-orders")
def list_orders(event, context):
    """A page of orders; `next` leads to the one behind it."""
    query = event.get("queryStringParameters") or {}
    start = {"ExclusiveStartKey": {"id": query["next"]}} if "next" in query else {}
    page = table().scan(Limit=25, **start)
    more = page.get("LastEvaluatedKey", {}).get("id")
    return answer(200, {"orders": page["Items"], **({"next": more} if more else {})})


@app.http("GET /orders/{id}")
@app.function(timeout=20)
def read(event, context):
    found = table().get_item(Key={"id": event["pathParameters"]["id"]}).get("Item")
    return answer(200, found) if found else answer(404, {"message": "no such order"})


@app.http("PUT /orders/{id}")
@app.function(timeout=20)
def change(event, context):
    """Replaces an order that exists; a PUT makes none."""
    order, wrong = order_of(event)
    if wrong:
        return answer(400, {"message": wrong})
    order["id"] = event["pathParameters"]["id"]
    try:
        table().put_item(Item=order, ConditionExpression="attribute_exists(id)")
    except table().meta.client.exceptions.ConditionalCheckFailedException:
        return answer(404, {"message": "no such order"})
    return answer(200, order)


@app.http("DELETE /orders/{id}")
@app.function(timeout=20)
def delete(event, context):
    """Deleting twice is fine."""
    table().delete_item(Key={"id": event["pathParameters"]["id"]})
    return {"statusCode": 204}


def order_of(event):
    """(order, None), or (None, what is wrong with it)."""
    body = event.get("body") or ""
    try:
        # What `curl -d` sends says that it is a form, and forms come in base64.
        document = json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)
    except ValueError:
        return None, "the body is not JSON"
    if not isinstance(document, dict) or set(document) != {"item", "quantity"}:
        return None, "an order has an item and a quantity"
    item, quantity = document["item"], document["quantity"]
    if not isinstance(item, str) or not 0 < len(item) <= 100:
        return None, "an item is a text of up to 100 characters"
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 < quantity <= LARGEST_QUANTITY:
        return None, f"a quantity is a whole number from 1 to {LARGEST_QUANTITY}"
    return {"item": item, "quantity": quantity}, None


def answer(status, document, headers=None):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **(headers or {})},
        "body": json.dumps(document, default=plain),
    }


def plain(value):
    """DynamoDB's numbers."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
