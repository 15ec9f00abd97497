"""From what the user has configured to open wires: region, credentials, endpoints.

The AWS client library finds them (environment, config files, profiles, SSO, container and instance roles); it is
imported when it is asked and not before, because its import costs more than a whole start of the worker.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from eventmap.aws.endpoint import is_aws, is_loopback
from eventmap.aws.signing import Credentials
from eventmap.errors import AccessRefused, ConfigurationError, CredentialsNotFound, TransientSourceError

if TYPE_CHECKING:
    from eventmap.aws.dynamodb import DynamoDbStreamsWire, DynamoDbWire
    from eventmap.aws.kinesis import KinesisWire
    from eventmap.aws.sqs import SqsWire
    from eventmap.aws.wire import WireOptions

LOCAL_CREDENTIALS: Final = Credentials("test", "test")
LOCAL_REGION: Final = "us-east-1"
_CONNECT_TIMEOUT_S: Final = 5
_READ_TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """What the user said; None leaves it to the environment and AWS' config files."""

    endpoint_url: str | None = None  #: of any server that speaks AWS' JSON protocols, for every service
    region: str | None = None
    profile: str | None = None
    credentials: Credentials | None = None  #: fixed ones, for the embedded emulator


class FixedCredentials:
    """A credential source whose keys never change."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials:
        return self._credentials

    async def renewed(self) -> Credentials:
        return self._credentials


class ProviderCredentials:
    """A credential source over the client library's providers, which refresh temporary keys before they expire."""

    def __init__(self, session: Any, *, instance_role: bool) -> None:
        self._session = session
        self._instance_role = instance_role
        self._found: Any = None

    async def current(self) -> Credentials:
        """Raises: CredentialsNotFound; AccessRefused if what was found is unusable, such as an ended SSO session."""
        from botocore import exceptions

        worked_before = self._found is not None
        try:
            if self._found is None:
                self._found = await self._look_up()
            frozen = await self._found.get_frozen_credentials()
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            code = type(error).__name__
            # A provider that gave keys once and cannot be reached now is an incident of the moment.
            passing = exceptions.HTTPClientError, exceptions.MetadataRetrievalError, exceptions.CredentialRetrievalError
            if worked_before and isinstance(error, passing):
                raise TransientSourceError(f"AWS credentials could not be refreshed: {error}", code=code) from error
            raise AccessRefused(
                f"AWS credentials cannot be used: {error}; sign in again (`aws sso login`) or choose another --profile",
                code=code,
            ) from error
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    async def renewed(self) -> Credentials:
        """Asks every provider again, so that keys written to a file meanwhile are found too."""
        self._found = None
        return await self.current()

    async def _look_up(self) -> Any:
        providers = self._session.get_component("credential_provider")
        if not self._instance_role:
            providers.remove("iam-role")
        found = await providers.load_credentials()
        if found is None:
            raise CredentialsNotFound
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service is reached, and with which keys."""

    endpoint_url: str
    region: str
    credentials: FixedCredentials | ProviderCredentials
    ca_bundle: str | None = None
    proxy_url: str | None = None

    def options(self, connection_limit: int) -> WireOptions:
        """What a wire wants to know beside the endpoint; `connection_limit` bounds its connections, 0 = no bound."""
        return {
            "region": self.region,
            "credentials": self.credentials,
            "connection_limit": connection_limit,
            "ca_bundle": self.ca_bundle,
            "proxy_url": self.proxy_url,
        }


@asynccontextmanager
async def open_sqs(settings: AwsSettings, *, connection_limit: int = 64) -> AsyncIterator[SqsWire]:
    """An open `SqsWire` for these settings; `connection_limit` bounds its connections, 0 = no bound.

    Raises: ConfigurationError (no region, an unknown profile, a bad endpoint), CredentialsNotFound, AccessRefused.
    """
    from eventmap.aws.sqs import SqsWire

    [place] = await _places(settings, "sqs")
    async with SqsWire(place.endpoint_url, **place.options(connection_limit)) as wire:
        yield wire


@asynccontextmanager
async def open_kinesis(settings: AwsSettings, *, connection_limit: int = 64) -> AsyncIterator[KinesisWire]:
    """The same for Kinesis."""
    from eventmap.aws.kinesis import KinesisWire

    [place] = await _places(settings, "kinesis")
    async with KinesisWire(place.endpoint_url, **place.options(connection_limit)) as wire:
        yield wire


@asynccontextmanager
async def open_dynamodb(settings: AwsSettings, *, connection_limit: int = 64) -> AsyncIterator[DynamoDbStreamsWire]:
    """The same for DynamoDB: its streams and, as `tables`, its tables, each with `connection_limit` connections."""
    from eventmap.aws.dynamodb import DynamoDbStreamsWire, DynamoDbWire

    at_tables, at_streams = await _places(settings, "dynamodb", "dynamodbstreams")
    async with (
        DynamoDbWire(at_tables.endpoint_url, **at_tables.options(connection_limit)) as tables,
        DynamoDbStreamsWire(at_streams.endpoint_url, tables=tables, **at_streams.options(connection_limit)) as streams,
    ):
        yield streams


@asynccontextmanager
async def open_tables(settings: AwsSettings, *, connection_limit: int = 64) -> AsyncIterator[DynamoDbWire]:
    """The same for DynamoDB's tables alone, wherever its streams may be."""
    from eventmap.aws.dynamodb import DynamoDbWire

    [place] = await _places(settings, "dynamodb")
    async with DynamoDbWire(place.endpoint_url, **place.options(connection_limit)) as tables:
        yield tables


@asynccontextmanager
async def open_client(settings: AwsSettings, service: str) -> AsyncIterator[Any]:
    """The client library's own client, for the rare calls: one attempt per call, the same places and keys as the wires.

    Raises: as `open_sqs`.
    """
    from botocore.config import Config

    session, [place] = await _resolved(settings, (service,))
    fixed: dict[str, str | None] = {}
    if isinstance(place.credentials, FixedCredentials):
        keys = await place.credentials.current()
        fixed = {
            "aws_access_key_id": keys.access_key,
            "aws_secret_access_key": keys.secret_key,
            "aws_session_token": keys.token,
        }
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        # A bucket's name in front of it leads nowhere on a server of one's own.
        s3={"addressing_style": "auto" if is_aws(place.endpoint_url) else "path"},
    )
    async with session.create_client(
        service, region_name=place.region, endpoint_url=settings.endpoint_url, config=config, **fixed
    ) as client:
        yield client


async def _places(settings: AwsSettings, *services: str) -> list[Place]:
    """Where each of the services is, by its name in the client library, which is not asked if all is said."""
    if settings.endpoint_url and settings.credentials:
        credentials = FixedCredentials(settings.credentials)
        return [Place(settings.endpoint_url, settings.region or LOCAL_REGION, credentials)] * len(services)
    _, places = await _resolved(settings, services)
    return places


async def _resolved(settings: AwsSettings, services: Sequence[str]) -> tuple[Any, list[Place]]:
    """The client library's session, and the places as it finds them beyond `settings`."""
    from botocore.exceptions import BotoCoreError

    try:
        session = _session(settings.profile)
        endpoint_urls, region = await _endpoints_and_region(session, settings, services)
        transports = [_transport(session, endpoint_url) for endpoint_url in endpoint_urls]
    except BotoCoreError as error:
        raise ConfigurationError(f"AWS configuration cannot be used: {error}") from error
    credentials = await _credentials(session, settings, loopback=all(map(is_loopback, endpoint_urls)))
    return session, [
        Place(endpoint_url, region, credentials, ca_bundle, proxy_url)
        for endpoint_url, (ca_bundle, proxy_url) in zip(endpoint_urls, transports, strict=True)
    ]


async def _credentials(
    session: Any, settings: AwsSettings, *, loopback: bool
) -> FixedCredentials | ProviderCredentials:
    if settings.credentials:
        return FixedCredentials(settings.credentials)
    source = ProviderCredentials(session, instance_role=not loopback)
    try:
        await source.current()
    except CredentialsNotFound:
        if not loopback:
            raise
        return FixedCredentials(LOCAL_CREDENTIALS)
    return source


def _session(profile: str | None) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(profile=profile)
    # Off EC2 nobody answers for instance roles: a second is enough for one who is there.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    return session


async def _endpoints_and_region(session: Any, settings: AwsSettings, services: Sequence[str]) -> tuple[list[str], str]:
    """Let the client library resolve them, with AWS_ENDPOINT_URL(_<SERVICE>), config files, FIPS and the rest."""
    from botocore import UNSIGNED
    from botocore.config import Config

    # The client library reads AWS_DEFAULT_REGION only; containers and functions are given AWS_REGION.
    region = settings.region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
    endpoint_urls = []
    for service in services:
        # Unsigned: it is asked for an address only, so it must not look for credentials yet.
        async with session.create_client(
            service,
            region_name=region or LOCAL_REGION,
            endpoint_url=settings.endpoint_url,
            config=Config(signature_version=UNSIGNED),
        ) as client:
            endpoint_urls.append(str(client.meta.endpoint_url))
    if region is None and all(map(is_loopback, endpoint_urls)):
        region = LOCAL_REGION
    if region is None:
        if settings.credentials is None:  # who has neither, lacks the credentials first
            await ProviderCredentials(session, instance_role=True).current()
        raise ConfigurationError(
            "no AWS region known: give --region, set AWS_REGION or AWS_DEFAULT_REGION, "
            "or name the source by its ARN or URL"
        )
    return endpoint_urls, str(region)


def _transport(session: Any, endpoint_url: str) -> tuple[str | None, str | None]:
    """(certificate bundle, proxy URL) as the client library would use them; None where there is none."""
    from botocore.httpsession import get_cert_path
    from botocore.utils import get_environ_proxies

    scheme = urlsplit(endpoint_url).scheme
    ca_bundle = session.get_config_variable("ca_bundle") or get_cert_path(True) if scheme == "https" else None
    proxy_url = None if is_loopback(endpoint_url) else get_environ_proxies(endpoint_url).get(scheme)
    return ca_bundle, proxy_url
