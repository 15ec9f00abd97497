"""The lean path to SQS: its JSON protocol over kept-alive connections, one attempt per call.

No retries here: the poller and the ledger own them. The one exception is a token that expired between two calls, which
is refreshed and tried once more. Every request goes to the configured endpoint, whatever host a QueueUrl names.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import aiohttp
import orjson
from yarl import URL

from eventmap import clock
from eventmap.aws.loopback import is_loopback
from eventmap.aws.refusal import Call, is_expired, not_json, refusal
from eventmap.aws.signing import Credentials, Signer
from eventmap.errors import AccessRefused, ConfigurationError, SourceError, TransientSourceError

RawMessage = dict[str, Any]  # as SQS' JSON protocol carries it; binary values are base64 text

CONTENT_TYPE: Final = "application/x-amz-json-1.0"
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 10.0  # on top of the long poll's own wait

# Ten messages of 1 MiB each of whose bytes the server escapes as \u00XX: no honest answer is longer.
RESPONSE_LIMIT_BYTES: Final = 64 * 1024 * 1024

_READ_LIMIT_BYTES: Final = 256 * 1024
_STATIC_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "eventmap", "x-amzn-query-mode": "true"}


class CredentialSource(Protocol):
    """Where the keys come from."""

    async def current(self) -> Credentials:
        """Keys that are good now; refreshed before they expire. Raises: AccessRefused, CredentialsNotFound."""

    async def renewed(self) -> Credentials:
        """Keys looked up afresh, after the server called the current ones expired."""


class SqsWire:
    """SQS as the engine needs it. An async context manager; `SqsWire` may be called from many tasks of one loop.

    `connection_limit` bounds the open connections (0 = no bound). A call that finds all of them busy waits for one, and
    that wait counts towards its timeout: allow one per concurrent poll and a few for the rest.
    """

    def __init__(
        self,
        endpoint_url: str,
        *,
        region: str,
        credentials: CredentialSource,
        connection_limit: int = 64,
        ca_bundle: str | None = None,
        proxy_url: str | None = None,
    ) -> None:
        self._url = _endpoint(endpoint_url)
        self.endpoint_url: str = str(self._url)
        self.region = region
        self._is_local = is_loopback(self.endpoint_url)
        self._credentials = credentials
        self._connection_limit = connection_limit
        self._ca_bundle = ca_bundle
        self._proxy_url = proxy_url
        self._signer = Signer(
            host=self._url.host_port_subcomponent or "", path=self._url.raw_path, region=region, service="sqs"
        )
        self._timeouts: dict[int, aiohttp.ClientTimeout] = {}
        self._known = False  # this endpoint has answered as SQS at least once
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> SqsWire:
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

    async def get_queue_url(self, name: str, owner: str | None = None) -> str:
        """`owner` is the account of a queue that another one owns (SQS-19). Raises: QueueNotFound (SQS-15).

        A server on this machine has one account whatever an ARN says, so it is not asked about others.
        """
        parameters = {"QueueName": name}
        if owner is not None and not self._is_local:
            parameters["QueueOwnerAWSAccountId"] = owner
        answer = await self._call("GetQueueUrl", name, parameters)
        return _text(answer, "QueueUrl")

    async def get_queue_attributes(self, queue_url: str) -> dict[str, str]:
        """All attributes of the queue, values as text."""
        answer = await self._call("GetQueueAttributes", queue_url, {"QueueUrl": queue_url, "AttributeNames": ["All"]})
        attributes: dict[str, str] = answer.get("Attributes") or {}
        return attributes

    async def create_queue(self, name: str, attributes: Mapping[str, str]) -> str:
        """The new queue's URL; that of an existing queue if its attributes are the same."""
        answer = await self._call("CreateQueue", name, {"QueueName": name, "Attributes": dict(attributes)})
        return _text(answer, "QueueUrl")

    async def receive_message(
        self,
        queue_url: str,
        *,
        max_number_of_messages: int,
        wait_time_seconds: int,
        visibility_timeout: int | None = None,
    ) -> list[RawMessage]:
        """At most ten messages with all their attributes (SQS-20..22); empty when the wait passed without one.

        `visibility_timeout` None leaves it to the queue. Cancelling may leave messages received that nobody has seen:
        they come back when their visibility timeout ends.
        """
        parameters: dict[str, Any] = {
            "QueueUrl": queue_url,
            "MaxNumberOfMessages": max_number_of_messages,
            "WaitTimeSeconds": wait_time_seconds,
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["All"],
            "AttributeNames": ["All"],  # the name that servers older than 2024 know
        }
        if visibility_timeout is not None:
            parameters["VisibilityTimeout"] = visibility_timeout
        answer = await self._call("ReceiveMessage", queue_url, parameters, wait_s=wait_time_seconds)
        messages: list[RawMessage] = answer.get("Messages") or []
        return messages

    async def delete_message_batch(self, queue_url: str, receipts: Sequence[str]) -> dict[int, str]:
        """Delete up to ten messages (SQS-62); returns index -> error code of those the queue did not confirm."""
        entries = [{"Id": str(index), "ReceiptHandle": receipt} for index, receipt in enumerate(receipts)]
        return await self._batch("DeleteMessageBatch", queue_url, entries)

    async def change_message_visibility_batch(
        self, queue_url: str, entries: Sequence[tuple[str, int]]
    ) -> dict[int, str]:
        """Set (receipt, seconds from now) of up to ten messages (SQS-66); returns index -> error code of failures."""
        return await self._batch(
            "ChangeMessageVisibilityBatch",
            queue_url,
            [
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for index, (receipt, seconds) in enumerate(entries)
            ],
        )

    async def send_message_batch(self, queue_url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Send up to ten entries in AWS' fields without Id (SQS-128); returns index -> error code of failures."""
        return await self._batch(
            "SendMessageBatch", queue_url, [{"Id": str(index), **entry} for index, entry in enumerate(entries)]
        )

    async def _batch(self, operation: str, queue_url: str, entries: list[dict[str, Any]]) -> dict[int, str]:
        if not entries:
            return {}
        answer = await self._call(operation, queue_url, {"QueueUrl": queue_url, "Entries": entries})
        confirmed = {entry["Id"] for entry in answer.get("Successful") or ()}
        if len(confirmed) == len(entries):
            return {}
        codes = {entry["Id"]: entry.get("Code", "") for entry in answer.get("Failed") or ()}
        # An entry the answer does not mention is not confirmed, so it counts as failed.
        return {
            index: codes.get(entry["Id"], "NotConfirmed")
            for index, entry in enumerate(entries)
            if entry["Id"] not in confirmed
        }

    async def _call(self, operation: str, queue: str, parameters: dict[str, Any], wait_s: int = 0) -> dict[str, Any]:
        call = Call(operation, queue, self.endpoint_url, self.region)
        body = orjson.dumps(parameters)
        try:
            return await self._attempt(call, body, await self._credentials.current(), wait_s)
        except AccessRefused as error:
            if not is_expired(error):
                raise
        return await self._attempt(call, body, await self._credentials.renewed(), wait_s)

    async def _attempt(self, call: Call, body: bytes, credentials: Credentials, wait_s: int) -> dict[str, Any]:
        """One request, one answer. Raises: SourceError and its kinds."""
        status, headers, answer = await self._exchange(call, body, credentials, wait_s)
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
        self, call: Call, body: bytes, credentials: Credentials, wait_s: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._http is None:
            raise RuntimeError("the wire is closed: use it inside `async with`")
        headers = self._signer.headers(credentials, clock.utc_now(), f"AmazonSQS.{call.operation}", CONTENT_TYPE, body)
        try:
            async with self._http.post(
                self._url,
                data=body,
                headers=headers | _STATIC_HEADERS,
                timeout=self._timeout(wait_s),
                allow_redirects=False,  # a signed request goes nowhere else
                proxy=self._proxy_url,
            ) as response:
                return response.status, response.headers, await _limited(response, call)
        except TimeoutError as error:
            raise self._lost(call, f"no answer within {self._timeout(wait_s).total:.0f} s", "Timeout") from error
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

    def _timeout(self, wait_s: int) -> aiohttp.ClientTimeout:
        timeout = self._timeouts.get(wait_s)
        if timeout is None:
            answer_s = wait_s + ANSWER_TIMEOUT_S
            timeout = self._timeouts[wait_s] = aiohttp.ClientTimeout(
                total=CONNECT_TIMEOUT_S + answer_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=answer_s
            )
        return timeout


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


def _text(answer: Mapping[str, Any], key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str):
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
