"""The lean path to AWS' JSON services: kept-alive connections, one attempt per call.

No retries here: the callers own them. The one exception is a token that expired between two calls, which is refreshed
and tried once more. Every request goes to the configured endpoint, whatever host its parameters name.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NotRequired, Protocol, Self, TypedDict, Unpack

import aiohttp
import orjson
from yarl import URL

from eventmap import clock
from eventmap.aws.refusal import Call, is_expired, not_json, refusal
from eventmap.aws.services import Service
from eventmap.aws.signing import Credentials, Signer
from eventmap.errors import AccessRefused, ConfigurationError, SourceError, TransientSourceError

JSON_1_0: Final = "application/x-amz-json-1.0"
JSON_1_1: Final = "application/x-amz-json-1.1"
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0  # on top of what a call itself waits

# Ten messages of 1 MiB each of whose bytes the server escapes as \u00XX: no honest answer is longer. The longest of a
# stream, 10 MB of records as base64 with their names (STR-143), is a third of it.
RESPONSE_LIMIT_BYTES: Final = 64 * 1024 * 1024

_READ_LIMIT_BYTES: Final = 256 * 1024


class CredentialSource(Protocol):
    """Where the keys come from."""

    async def current(self) -> Credentials:
        """Keys that are good now; refreshed before they expire. Raises: AccessRefused, CredentialsNotFound."""

    async def renewed(self) -> Credentials:
        """Keys looked up afresh, after the server called the current ones expired."""


class WireOptions(TypedDict):
    """How a wire reaches its service; the same for every service.

    `connection_limit` bounds the open connections (64; 0 = no bound). A call that finds all of them busy waits for one,
    and that wait counts towards its timeout: allow one per concurrent poll and a few for the rest.
    """

    region: str
    credentials: CredentialSource
    connection_limit: NotRequired[int]
    ca_bundle: NotRequired[str | None]  #: path of the certificates to trust; None = the machine's own
    proxy_url: NotRequired[str | None]  #: None = no proxy


@dataclass(frozen=True, slots=True)
class JsonProtocol:
    """What tells one service's JSON protocol from another's."""

    signing_name: str
    target_prefix: str  #: what precedes the operation in X-Amz-Target
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)  #: sent with every request, unsigned


class JsonWire:
    """One service at one endpoint. An async context manager; may be called from many tasks of one loop."""

    def __init__(
        self, endpoint_url: str, *, service: Service, protocol: JsonProtocol, **options: Unpack[WireOptions]
    ) -> None:
        self._url = _endpoint(endpoint_url)
        self.endpoint_url: str = str(self._url)
        self.region = options["region"]
        self._service = service
        self._credentials = options["credentials"]
        self._connection_limit = options.get("connection_limit", 64)
        self._ca_bundle = options.get("ca_bundle")
        self._proxy_url = options.get("proxy_url")
        self._target_prefix = f"{protocol.target_prefix}."
        self._content_type = protocol.content_type
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "eventmap", **protocol.headers}
        self._signer = Signer(
            host=self._url.host_port_subcomponent or "",
            path=self._url.raw_path,
            region=self.region,
            service=protocol.signing_name,
        )
        self._timeouts: dict[tuple[int, int], aiohttp.ClientTimeout] = {}
        self._known = False  # this endpoint has answered as this service at least once
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connection_limit, ssl=_tls(self._ca_bundle) if self._url.scheme == "https" else True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_LIMIT_BYTES,
            skip_auto_headers=("Accept",),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    async def call(
        self, operation: str, subject: str, parameters: Mapping[str, Any], *, wait_s: int = 0, transfer_s: int = 0
    ) -> dict[str, Any]:
        """One request and its answer. `subject` is what the call is about, by name, URL or ARN, for error messages.

        The server may be silent for `wait_s` seconds more than usual, and sending the answer may take `transfer_s`
        seconds more. Raises: SourceError and its kinds; RuntimeError if the wire is not open.
        """
        call = Call(self._service, operation, subject, self.endpoint_url, self.region, parameters.get("ShardId", ""))
        body = orjson.dumps(parameters)
        timeout = self._timeout(wait_s, transfer_s)
        try:
            return await self._attempt(call, body, await self._credentials.current(), timeout)
        except AccessRefused as error:
            if not is_expired(error):
                raise
        return await self._attempt(call, body, await self._credentials.renewed(), timeout)

    async def _attempt(
        self, call: Call, body: bytes, credentials: Credentials, timeout: aiohttp.ClientTimeout
    ) -> dict[str, Any]:
        """One request, one answer. Raises: SourceError and its kinds."""
        status, headers, answer = await self._exchange(call, body, credentials, timeout)
        if status != 200:
            raise refusal(call, status, headers, answer, known=self._known)
        try:
            document = orjson.loads(answer) if answer else {}
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise not_json(call, status, answer, known=self._known)
        self._known = True
        return document

    async def _exchange(
        self, call: Call, body: bytes, credentials: Credentials, timeout: aiohttp.ClientTimeout
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._http is None:
            raise RuntimeError("the wire is closed: use it inside `async with`")
        target = self._target_prefix + call.operation
        headers = self._signer.headers(credentials, clock.utc_now(), target, self._content_type, body)
        try:
            async with self._http.post(
                self._url,
                data=body,
                headers=headers | self._headers,
                timeout=timeout,
                allow_redirects=False,  # a signed request goes nowhere else
                proxy=self._proxy_url,
            ) as response:
                return response.status, response.headers, await _limited(response, call)
        except TimeoutError as error:
            raise self._lost(call, f"no answer within {timeout.total:.0f} s", "Timeout") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise self._unresolved(call, error) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise SourceError(f"{call.endpoint} has a certificate that is not trusted: {error}", code="TLS") from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._lost(call, f"{type(error).__name__}: {error}", "ConnectionLost") from error

    def _lost(self, call: Call, what: str, code: str) -> TransientSourceError:
        hint = "" if self._known else "; is the server running, and --endpoint-url right?"
        return TransientSourceError(f"{call.operation} at {call.endpoint} got no answer: {what}{hint}", code=code)

    def _unresolved(self, call: Call, error: aiohttp.ClientConnectorDNSError) -> SourceError:
        said = f"the host of {call.endpoint} has no address"
        cause = error.os_error
        # A name that never worked and that the resolver denies is a misspelt region; any other is a bad moment.
        if not self._known and isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return AccessRefused(f"{said}: check --region {call.region!r} and --endpoint-url", code="UnknownHost")
        return TransientSourceError(f"{said} at the moment: check --region and the network", code="UnknownHost")

    def _timeout(self, wait_s: int, transfer_s: int) -> aiohttp.ClientTimeout:
        timeout = self._timeouts.get((wait_s, transfer_s))
        if timeout is None:
            silence_s = wait_s + ANSWER_TIMEOUT_S
            timeout = self._timeouts[wait_s, transfer_s] = aiohttp.ClientTimeout(
                total=CONNECT_TIMEOUT_S + silence_s + transfer_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=silence_s
            )
        return timeout


class ServiceWire:
    """One service at one endpoint: what the wires of all services have. An async context manager."""

    def __init__(self, wire: JsonWire) -> None:
        self._wire = wire

    @property
    def endpoint_url(self) -> str:
        return self._wire.endpoint_url

    @property
    def region(self) -> str:
        return self._wire.region

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.__aexit__()


async def _limited(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """The body, never holding more than the limit."""
    announced = response.content_length
    if announced is None or announced > RESPONSE_LIMIT_BYTES:
        body = bytearray()
        if announced is None:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > RESPONSE_LIMIT_BYTES:
                    break
            else:
                return bytes(body)
        response.close()
        raise SourceError(
            f"{call.operation} at {call.endpoint} was answered with more than {RESPONSE_LIMIT_BYTES} bytes",
            code="ResponseTooLarge",
        )
    return await response.read()


def text_of(answer: Mapping[str, Any], key: str) -> str:
    """A member that is always there. Raises: SourceError if it is not."""
    value = answer.get(key)
    if not isinstance(value, str):
        raise SourceError(f"the answer has no {key}", code="IncompleteAnswer")
    return value


def object_of(answer: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The same for a structure."""
    value = answer.get(key)
    if not isinstance(value, dict):
        raise SourceError(f"the answer has no {key}", code="IncompleteAnswer")
    return value


def _endpoint(endpoint_url: str) -> URL:
    try:
        url = URL(endpoint_url)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.query_string or url.fragment or url.user:
        raise ConfigurationError(f"endpoint URL {endpoint_url!r} is not of the form http(s)://HOST[:PORT]")
    return url if url.raw_path else url.with_path("/")


def _tls(ca_bundle: str | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca_bundle)
