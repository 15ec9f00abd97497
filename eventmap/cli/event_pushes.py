"""`eventmap event KIND`: the events that a source pushes to a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from eventmap.cli.event_options import SAMPLE_BODY, Attributes, Body
from eventmap.cli.failure import Misuse
from eventmap.cli.given import object_given, pairs_given, text_given
from eventmap.model import JsonObject
from eventmap.testing.origin import Origin

_Bucket = Annotated[str, typer.Option("--bucket", metavar="NAME", help="The bucket's name.")]


def sns(
    *,
    body: Body = SAMPLE_BODY,
    topic: Annotated[str, typer.Option("--topic", metavar="NAME", help="The topic's name.")] = "orders",
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT", help="The message's subject.")] = None,
    attribute: Attributes = None,
    origin: Origin,
) -> JsonObject:
    """A message of an SNS topic: always one.

    \b
    eventmap event sns --topic placed-orders --subject hello --body @order.json
    """
    from eventmap.testing.events import topics

    return topics.sns(
        text_given(body, "--body"),
        topic=topic,
        subject=subject,
        attributes=pairs_given(attribute or (), "--attribute"),
        origin=origin,
    )


def s3(
    *,
    bucket: _Bucket = "photos",
    key: Annotated[list[str] | None, typer.Option("--key", metavar="KEY", help="An object's key; repeatable.")] = None,
    event_name: Annotated[str, typer.Option("--event-name", metavar="NAME", help="What happened.")] = (
        "ObjectCreated:Put"
    ),
    body: Annotated[
        str, typer.Option("--body", metavar="TEXT|@FILE|-", help="What the object holds: its size and eTag follow.")
    ] = "",
    version_id: Annotated[str | None, typer.Option("--version-id", metavar="ID", help="The object's version.")] = None,
    on_bus: Annotated[bool, typer.Option("--on-bus", help="As EventBridge tells it, of one key.")] = False,
    origin: Origin,
) -> JsonObject:
    """What an S3 bucket tells of its objects. Keys are given as the bucket has them.

    \b
    eventmap event s3 --bucket photos --key 'uploads/cat 1.jpg' | eventmap invoke thumbnail:handler -
    eventmap event s3 --key old.jpg --event-name ObjectRemoved:Delete
    """
    from eventmap.testing.events import buckets

    keys = key or ["uploads/cat 1.jpg"]
    content = text_given(body, "--body")
    if not on_bus:
        return buckets.s3(bucket, *keys, event_name=event_name, body=content, version_id=version_id, origin=origin)
    if len(keys) > 1:
        raise Misuse("an event of a bus is about one object: give one --key")
    return buckets.s3_on_bus(bucket, keys[0], event_name=event_name, body=content, version_id=version_id, origin=origin)


def s3_test(*, bucket: _Bucket = "photos", origin: Origin) -> JsonObject:
    """What S3 sends to a queue or a topic to try a configuration; a function's code may find it inside a message.

    \b
    eventmap event s3-test --bucket photos
    """
    from eventmap.testing.events import buckets

    return buckets.s3_test(bucket, origin=origin)


def event_bridge(
    *,
    source: Annotated[str, typer.Option("--source", metavar="NAME", help="Who sends it.")] = "shop.orders",
    detail_type: Annotated[str, typer.Option("--detail-type", metavar="TEXT", help="What it tells.")] = "Order Placed",
    detail: Annotated[str, typer.Option("--detail", metavar="JSON|@FILE|-", help="An object.")] = SAMPLE_BODY,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", metavar="ARN", help="What it is about; repeatable.")
    ] = None,
    origin: Origin,
) -> JsonObject:
    """An event of an EventBridge bus.

    \b
    eventmap event event-bridge --source shop.orders --detail-type 'Order Placed' --detail '{"id": 7}'
    """
    from eventmap.testing.events import buses

    found = object_given(detail, "--detail")
    return buses.event_bridge(source, detail_type, found, resources=resource or (), origin=origin)


def schedule(
    *,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The rule's name.")] = "nightly",
    of_scheduler: Annotated[
        bool, typer.Option("--of-scheduler", help="The schedule is EventBridge Scheduler's, not a rule's.")
    ] = False,
    origin: Origin,
) -> JsonObject:
    """What a schedule sends when it is due, at --at.

    \b
    eventmap event schedule --name nightly --at 2026-01-05T02:00:00Z
    """
    from eventmap.testing.events import buses

    return buses.schedule(name, of_scheduler=of_scheduler, origin=origin)


def logs(
    *,
    message: Annotated[
        list[str] | None, typer.Option("--message", metavar="TEXT|@FILE|-", help="A line of the log; repeatable.")
    ] = None,
    log_group: Annotated[str, typer.Option("--log-group", metavar="NAME", help="The group.")] = "/aws/lambda/orders",
    log_stream: Annotated[str, typer.Option("--log-stream", metavar="NAME", help="The stream.")] = (
        "2026/01/01/[$LATEST]0"
    ),
    control: Annotated[bool, typer.Option("--control", help="The probe of a new subscription.")] = False,
    origin: Origin,
) -> JsonObject:
    """Lines of a CloudWatch log group, packed as its subscription sends them.

    \b
    eventmap event logs --message 'order 7 placed' --message 'order 7 paid'
    """
    from eventmap.testing.events import log_groups

    if control and message:
        raise Misuse("--control has a message of its own: leave --message out")
    lines = [text_given(each, "--message") for each in message or ("order 7 placed",)]
    return log_groups.logs(*lines, log_group=log_group, log_stream=log_stream, control=control, origin=origin)


def cognito(
    *,
    trigger: Annotated[
        str, typer.Option("--trigger", metavar="SOURCE", help="What calls it, as triggerSource has it.")
    ] = "PreSignUp_SignUp",
    event_version: Annotated[
        str | None, typer.Option("--event-version", metavar="1|2|3", help="Of PreTokenGeneration's event.")
    ] = None,
    user_name: Annotated[str, typer.Option("--user-name", metavar="NAME", help="The user.")] = "ada",
    client_id: Annotated[str | None, typer.Option("--client-id", metavar="ID", help="The app client.")] = None,
    user_attribute: Annotated[
        list[str] | None, typer.Option("--user-attribute", metavar="K=V", help="A user's attribute; repeatable.")
    ] = None,
    request: Annotated[
        str | None, typer.Option("--request", metavar="JSON|@FILE|-", help="Members of its request.")
    ] = None,
    origin: Origin,
) -> JsonObject:
    """What a Cognito user pool asks a trigger.

    \b
    eventmap event cognito --trigger PreSignUp_SignUp --user-attribute email=ada@example.com
    """
    from eventmap.testing.events import user_pools

    return user_pools.cognito(
        trigger,
        version=event_version,
        user_name=user_name,
        client_id=client_id,
        user_attributes={**pairs_given(user_attribute, "--user-attribute")} if user_attribute else None,
        request=None if request is None else object_given(request, "--request"),
        origin=origin,
    )


PUSHES: Final[tuple[tuple[Callable[..., JsonObject], str], ...]] = (
    (sns, "A message of an SNS topic."),
    (s3, "What an S3 bucket tells."),
    (s3_test, "What S3 tries a configuration with."),
    (event_bridge, "An event of an EventBridge bus."),
    (schedule, "What a schedule sends."),
    (cognito, "What a Cognito user pool asks."),
    (logs, "Lines of a CloudWatch log group."),
)
