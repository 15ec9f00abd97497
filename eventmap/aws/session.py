"""From what the user has configured to an open wire: region, credentials, endpoint.

The AWS client library finds them (environment, config files, profiles, SSO, container and instance roles); it is
imported when it is asked and not before, because its import costs more than a whole start of the worker.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from eventmap.aws.loopback import is_loopback
from eventmap.aws.signing import Credentials
from eventmap.errors import AccessRefused, ConfigurationError, CredentialsNotFound, TransientSourceError

if TYPE_CHECKING:
    from eventmap.aws.wire import SqsWire

LOCAL_CREDENTIALS: Final = Credentials("test", "test")
LOCAL_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """What the user said; None leaves it to the environment and AWS' config files."""

    endpoint_url: str | None = None  #: of any server that speaks SQS' JSON protocol
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


@asynccontextmanager
async def open_wire(settings: AwsSettings, *, connection_limit: int = 64) -> AsyncIterator[SqsWire]:
    """An open `SqsWire` for these settings; `connection_limit` bounds its connections, 0 = no bound.

    Raises: ConfigurationError (no region, an unknown profile, a bad endpoint), CredentialsNotFound, AccessRefused.
    """
    from eventmap.aws.wire import SqsWire

    if settings.endpoint_url and settings.credentials:
        wire = SqsWire(
            settings.endpoint_url,
            region=settings.region or LOCAL_REGION,
            credentials=FixedCredentials(settings.credentials),
            connection_limit=connection_limit,
        )
    else:
        wire = await _resolved(settings, connection_limit)
    async with wire:
        yield wire


async def _resolved(settings: AwsSettings, connection_limit: int) -> SqsWire:
    """A wire, not yet open, for what the client library finds beyond `settings`."""
    from botocore.exceptions import BotoCoreError

    from eventmap.aws.wire import SqsWire

    try:
        session = _session(settings.profile)
        endpoint_url, region = await _endpoint_and_region(session, settings)
        ca_bundle, proxy_url = _transport(session, endpoint_url)
    except BotoCoreError as error:
        raise ConfigurationError(f"AWS configuration cannot be used: {error}") from error
    loopback = is_loopback(endpoint_url)
    source: FixedCredentials | ProviderCredentials
    if settings.credentials:
        source = FixedCredentials(settings.credentials)
    else:
        source = ProviderCredentials(session, instance_role=not loopback)
        try:
            await source.current()
        except CredentialsNotFound:
            if not loopback:
                raise
            source = FixedCredentials(LOCAL_CREDENTIALS)
    return SqsWire(
        endpoint_url,
        region=region,
        credentials=source,
        connection_limit=connection_limit,
        ca_bundle=ca_bundle,
        proxy_url=proxy_url,
    )


def _session(profile: str | None) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(profile=profile)
    # Off EC2 nobody answers for instance roles: a second is enough for one who is there.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    return session


async def _endpoint_and_region(session: Any, settings: AwsSettings) -> tuple[str, str]:
    """Let the client library resolve both, with AWS_ENDPOINT_URL(_SQS), config files, FIPS and the rest."""
    from botocore import UNSIGNED
    from botocore.config import Config

    # The client library reads AWS_DEFAULT_REGION only; containers and functions are given AWS_REGION.
    region = settings.region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
    # Unsigned: it is asked for an address only, so it must not look for credentials yet.
    async with session.create_client(
        "sqs",
        region_name=region or LOCAL_REGION,
        endpoint_url=settings.endpoint_url,
        config=Config(signature_version=UNSIGNED),
    ) as client:
        endpoint_url = str(client.meta.endpoint_url)
    if region is None and is_loopback(endpoint_url):
        region = LOCAL_REGION
    if region is None:
        if settings.credentials is None:  # who has neither, lacks the credentials first
            await ProviderCredentials(session, instance_role=True).current()
        raise ConfigurationError(
            "no AWS region known: give --region, set AWS_REGION or AWS_DEFAULT_REGION, "
            "or name the queue by its URL or ARN"
        )
    return endpoint_url, str(region)


def _transport(session: Any, endpoint_url: str) -> tuple[str | None, str | None]:
    """(certificate bundle, proxy URL) as the client library would use them; None where there is none."""
    from botocore.httpsession import get_cert_path
    from botocore.utils import get_environ_proxies

    scheme = urlsplit(endpoint_url).scheme
    ca_bundle = session.get_config_variable("ca_bundle") or get_cert_path(True) if scheme == "https" else None
    proxy_url = None if is_loopback(endpoint_url) else get_environ_proxies(endpoint_url).get(scheme)
    return ca_bundle, proxy_url
