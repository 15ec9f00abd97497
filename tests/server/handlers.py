"""The handlers behind the server's tests."""

import asyncio
import os


async def echo(event, context):
    return event


async def nothing(event, context):
    return None


async def fail(event, context):
    raise ValueError("boom")


async def describe(event, context):
    sent = context.client_context
    return {
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "custom": sent and sent.custom,
        "w3c": context.w3c(),
    }


async def nap(event, context):
    await asyncio.sleep(event["s"])  # noqa: TID251
    return "rested"


def talk(event, context):
    print(event["text"])
    return os.environ.get("_X_AMZN_TRACE_ID")


async def of_size(event, context):
    return "x" * (event["size"] - 2)
