"""Objects read and put, and buckets made, through the AWS client library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from eventmap.aws.client_calls import translated
from eventmap.aws.services import S3
from eventmap.aws.session import AwsSettings, open_client
from eventmap.errors import ObjectNotFound, ObjectTooLarge, SourceError, TransientSourceError

_CHUNK_BYTES: Final = 65_536
_NO_SUCH_KEY: Final = "NoSuchKey"
_THERE_ALREADY: Final = "BucketAlreadyOwnedByYou"
_FIRST_REGION: Final = "us-east-1"  # which may not be named as a place


class ObjectCalls:
    """The calls of one endpoint and region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def create_bucket(self, bucket: str) -> None:
        """One that is there already is fine. Raises: SourceError and its kinds."""
        region = str(self._client.meta.region_name)
        placed = {} if region == _FIRST_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            with translated(S3, "CreateBucket", bucket, self._client):
                await self._client.create_bucket(Bucket=bucket, **placed)
        except SourceError as error:
            if error.code != _THERE_ALREADY:
                raise

    async def get_object(self, bucket: str, key: str, *, limit_bytes: int) -> bytes:
        """See `ObjectReader`: its size is looked at before anything is read, and while it is."""
        import aiohttp

        try:
            with translated(S3, "GetObject", f"{bucket}/{key}", self._client):
                answer = await self._client.get_object(Bucket=bucket, Key=key)
                async with answer["Body"]:
                    if answer["ContentLength"] > limit_bytes:
                        raise ObjectTooLarge(bucket, key, limit_bytes)
                    content = bytearray()
                    async for chunk in answer["Body"].iter_chunks(_CHUNK_BYTES):
                        content += chunk
                        if len(content) > limit_bytes:
                            raise ObjectTooLarge(bucket, key, limit_bytes)
                    return bytes(content)
        except SourceError as error:
            if error.code == _NO_SUCH_KEY:
                raise ObjectNotFound(bucket, key) from error
            raise
        except aiohttp.ClientError as error:  # in the middle of the content, which the client library leaves to us
            raise TransientSourceError(
                f"object {key!r} of bucket {bucket!r} broke off", code="ConnectionLost"
            ) from error

    async def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """One of that key is replaced. Raises: SourceError and its kinds."""
        with translated(S3, "PutObject", bucket, self._client):
            await self._client.put_object(Bucket=bucket, Key=key, Body=body)


@asynccontextmanager
async def open_objects(settings: AwsSettings) -> AsyncIterator[ObjectCalls]:
    """S3 for these settings. Raises: as `open_client`."""
    async with open_client(settings, S3.name) as client:
        yield ObjectCalls(client)
