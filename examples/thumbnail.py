"""A thumbnail of every uploaded image, from S3 to S3.

eventmap run examples.thumbnail:handler --local --s3 photos --s3-prefix uploads/ \\
  --send examples/uploads.jsonl --until-empty

Uploads and thumbnails share a bucket: the prefix is what keeps a thumbnail from being an upload.
"""

import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image

SIZE = (128, 128)
LARGEST_UPLOAD_BYTES = 20_000_000
LARGEST_IMAGE_PIXELS = 50_000_000
s3 = boto3.client("s3")


def handler(event, context):
    """Make the thumbnail of each object named; running twice makes the same one twice."""
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        if record["s3"]["object"]["size"] > LARGEST_UPLOAD_BYTES:
            print(f"{key} is too large for a thumbnail")
            continue
        original = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        name = f"thumbnails/{os.path.splitext(os.path.basename(key))[0]}.png"
        s3.put_object(Bucket=bucket, Key=name, Body=thumbnail(original), ContentType="image/png")
        print(f"{key} -> {name}")


def thumbnail(original):
    """The image, at most 128 pixels wide and high, as PNG."""
    with Image.open(io.BytesIO(original)) as image:
        if image.width * image.height > LARGEST_IMAGE_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are more than a thumbnail is worth")
        image.thumbnail(SIZE)
        small = io.BytesIO()
        image.convert("RGBA").save(small, "PNG")
    return small.getvalue()
