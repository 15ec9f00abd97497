"""Where a run finds its sources: at AWS, at another endpoint, or in an embedded emulator that ends with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from eventmap.aws.session import LOCAL_CREDENTIALS, LOCAL_REGION, AwsSettings
from eventmap.cli.run_options import RunOptions
from eventmap.local.emulator import embedded_emulator


@dataclass(frozen=True, slots=True)
class Place:
    """How sources are reached."""

    aws: AwsSettings
    is_local: bool = False  #: in an embedded emulator


@asynccontextmanager
async def open_place(options: RunOptions) -> AsyncIterator[Place]:
    """The place the options name; an embedded emulator runs as long as the block. Raises: LocalEmulatorError."""
    if not options.local:
        yield Place(AwsSettings(options.endpoint_url, options.region, options.profile))
        return
    region = options.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or LOCAL_REGION
    if options.emulator_url:
        yield _local(options.emulator_url, region)
        return
    async with embedded_emulator() as endpoint_url:
        yield _local(endpoint_url, region)


def _local(endpoint_url: str, region: str) -> Place:
    _lead_to(endpoint_url, region, os.environ)
    return Place(AwsSettings(endpoint_url, region, credentials=LOCAL_CREDENTIALS), is_local=True)


def _lead_to(endpoint_url: str, region: str, environment: MutableMapping[str, str]) -> None:
    """Let whatever handlers call reach the emulator, and nothing else: real credentials stay out of their sight."""
    for name in list(environment):
        if name.startswith("AWS_ENDPOINT_URL_") or name in _MISLEADING:
            del environment[name]
    environment.update(
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        AWS_ACCESS_KEY_ID=LOCAL_CREDENTIALS.access_key,
        AWS_SECRET_ACCESS_KEY=LOCAL_CREDENTIALS.secret_key,
        AWS_EC2_METADATA_DISABLED="true",
    )


_MISLEADING: Final = frozenset(
    {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
)
