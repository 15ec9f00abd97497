"""The AWS services that are called: their names, and the words an error message needs about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Service:
    """One service as the AWS client library and as its users call it."""

    name: str  #: the client library's
    title: str
    noun: str  #: what its calls are about
    permissions: str  #: what to allow when it refuses


SQS: Final = Service(
    "sqs",
    "SQS",
    "queue",
    "allow sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:GetQueueUrl and "
    "sqs:GetQueueAttributes on the queue (SQS-18), sqs:SendMessage on one that is sent to, and kms:Decrypt if it is "
    "encrypted with your own key",
)
KINESIS: Final = Service(
    "kinesis",
    "Kinesis",
    "stream",
    "allow kinesis:DescribeStreamSummary, kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the "
    "stream (STR-19), and kms:Decrypt if it is encrypted with your own key",
)
DYNAMODB: Final = Service(
    "dynamodb",
    "DynamoDB",
    "table",
    "allow dynamodb:DescribeTable on a mapped table, and on a lease table dynamodb:CreateTable, "
    "dynamodb:DescribeTable, dynamodb:Scan, dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem and "
    "dynamodb:DeleteItem",
)
DYNAMODB_STREAMS: Final = Service(
    "dynamodbstreams",
    "DynamoDB Streams",
    "stream",
    "allow dynamodb:DescribeStream, dynamodb:GetShardIterator and dynamodb:GetRecords on the stream (STR-19), and "
    "dynamodb:ListStreams for a mapping by table",
)
SNS: Final = Service(
    "sns",
    "SNS",
    "topic",
    "allow sns:Publish on a topic that is sent to (STR-100), and on one that invokes a function sns:ListTopics, "
    "sns:GetTopicAttributes, sns:Subscribe, sns:ListSubscriptionsByTopic, sns:SetSubscriptionAttributes, "
    "sns:ConfirmSubscription and sns:Unsubscribe",
)
S3: Final = Service(
    "s3",
    "S3",
    "bucket",
    "allow s3:PutObject and s3:ListBucket on a bucket that is written to (STR-100), s3:GetObject on one that pointers "
    "lead to (SNS-141), and on one that invokes a function s3:ListBucket, s3:GetBucketNotification and "
    "s3:PutBucketNotification",
)
EVENTS: Final = Service("events", "EventBridge", "event bus", "allow events:PutEvents on the event bus (INV-58)")
LAMBDA: Final = Service("lambda", "Lambda", "function", "allow lambda:InvokeFunction on the function (INV-57)")
