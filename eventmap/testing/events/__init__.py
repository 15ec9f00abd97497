"""Events as AWS sends them to a function, made of what a test has to say: `events.sqs("body")`, `events.s3("b", "k")`.

Each builder is a pure function that returns a fresh document; the same call makes the same one, identifiers included.
`Origin` says where and when it is from.
"""

from __future__ import annotations

from eventmap.rules.events import kind_of
from eventmap.rules.events.logs import decode_logs, log_events_of
from eventmap.testing.events.brokers import active_mq, kafka, rabbit_mq, self_managed_kafka
from eventmap.testing.events.buckets import s3, s3_on_bus, s3_test
from eventmap.testing.events.buses import event_bridge, schedule
from eventmap.testing.events.change_streams import documentdb
from eventmap.testing.events.log_groups import logs, logs_data
from eventmap.testing.events.queues import sqs
from eventmap.testing.events.streams import Change, dynamodb, kinesis
from eventmap.testing.events.topics import sns
from eventmap.testing.events.user_pools import cognito
from eventmap.testing.events.web_requests import alb, function_url, http_v1, http_v2
from eventmap.testing.events.web_sockets import websocket
from eventmap.testing.origin import Origin

__all__ = [
    "Change",
    "Origin",
    "active_mq",
    "alb",
    "cognito",
    "decode_logs",
    "documentdb",
    "dynamodb",
    "event_bridge",
    "function_url",
    "http_v1",
    "http_v2",
    "kafka",
    "kind_of",
    "kinesis",
    "log_events_of",
    "logs",
    "logs_data",
    "rabbit_mq",
    "s3",
    "s3_on_bus",
    "s3_test",
    "schedule",
    "self_managed_kafka",
    "sns",
    "sqs",
    "websocket",
]
