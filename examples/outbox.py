"""A claim check: reports too large for a message wait in a bucket, and the queue carries where they are.

`send` is the outbox: it stores the payload first and sends the pointer second, so that a pointer never leads nowhere; a
crash in between leaves an object that nobody claims, which a lifecycle rule of the bucket removes. The handler does not
know: eventmap puts the payload in the pointer's place, for buckets on its list.

eventmap run examples.outbox:app
"""

import json
import uuid

from eventmap import App, each_record

BUCKET, QUEUE = "report-payloads", "reports"
SMALL_BYTES = 200_000  # below what a queue takes, with room for attributes
POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"

app = App()


def send(s3, sqs, queue_url, report):
    """Send one report, whatever its size. The pointer is the one that AWS' extended clients write and read."""
    text = json.dumps(report)
    if len(text.encode()) <= SMALL_BYTES:
        sqs.send_message(QueueUrl=queue_url, MessageBody=text)
        return
    key = str(uuid.uuid4())
    s3.put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=json.dumps([POINTER, {"s3BucketName": BUCKET, "s3Key": key}]),
        MessageAttributes={
            "ExtendedPayloadSize": {"DataType": "Number", "StringValue": str(len(text.encode()))},
        },
    )


@app.sqs(QUEUE, pointer_buckets=[BUCKET])
@each_record
def handler(record, context):
    """Add up one report."""
    report = json.loads(record["body"])
    print(f"report {report['id']}: {len(report['rows'])} rows, sum {sum(report['rows'])}")
