"""SNS as a receiver: a signed POST in, an accepted `aws:sns` event out.

request ──▶ JSON? ──▶ topic ours? ──▶ fresh? ──▶ signed by SNS? ──▶ Notification ──▶ filter ──▶ accept ──▶ 200
             400        403            403         403             ├▶ SubscriptionConfirmation ──▶ confirm ──▶ 200
                                                                   └▶ UnsubscribeConfirmation ──▶ log ──▶ 200

What SNS may try again is answered with 503; every 4xx ends its delivery (SNS-114).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, assert_never, cast

from eventmap import telemetry
from eventmap.clock import elapsed_s, utc_now, wall_time_s
from eventmap.errors import ConfigurationError, SourceError, StateError, TransientSourceError
from eventmap.queued_event import Accept
from eventmap.receivers.certificates import Certificates, Trusted, Unreachable, Untrusted
from eventmap.receivers.fetch import Fetch, fetch_https
from eventmap.receivers.topics import ReceivedTopic, event_text, notification_request_id, with_payload
from eventmap.rules.sns_message import (
    Envelope,
    envelope_of,
    raw_envelope,
    staleness,
    string_to_sign,
    subscribe_url_problem,
)
from eventmap.rules.sns_signature import VERSIONS, SignatureVersion, verify

Reason = Literal["malformed", "topic", "stale", "forged", "raw", "token"]
"""Why a push is refused for good."""

Confirm = Callable[[str, str], Awaitable[str]]
"""(topic ARN, token) → the subscription's ARN, as `TopicApi.confirm_subscription`."""

BODY_LIMIT_BYTES: Final = (
    2 * 1024 * 1024
)  # 256 KiB of which every byte is escaped (SNS-03), and the rest of an envelope
_STATUS: Final[dict[Reason, int]] = {
    "malformed": 400,
    "topic": 403,
    "stale": 403,
    "forged": 403,
    "raw": 403,
    "token": 400,
}
_NOT_OURS: Final = "this function is not subscribed to that topic"
_SUBSCRIPTION_ARN: Final = re.compile(rb"<SubscriptionArn>(arn:[!-;=?-~]{1,600})</SubscriptionArn>")  # SNS-24
_LOGGED_EVERY_S: Final = 60.0  # per reason: whoever floods us shall not flood the log


@dataclass(frozen=True, slots=True, kw_only=True)
class SnsSettings:
    """How strict an endpoint is."""

    tolerance_s: float = 3600.0
    """How old a message may be, or how far ahead of our clock; SNS' own retries are over by then (SNS-44, 103)."""

    refuse_version_1: bool = False
    """Take SHA-256 signatures only (SNS-43)."""

    allow_raw: bool = False
    """Take raw deliveries, which nobody has signed: for endpoints that only SNS can reach (SNS-70)."""

    verify_signatures: bool = True
    """False believes whoever reaches the endpoint: for emulators on this machine, which cannot sign as SNS does."""

    def __post_init__(self) -> None:
        if not self.tolerance_s > 0:
            raise ConfigurationError(f"tolerance_s must be more than 0 s, not {self.tolerance_s}: nothing is that new")


@dataclass(slots=True)
class SnsStatistics:
    """Live counters of one endpoint."""

    accepted: int = 0  #: events that are now owed
    repeated: int = 0  #: notifications accepted before
    filtered: int = 0  #: notifications that the filter policy does not let through (SNS-98)
    confirmed: int = 0  #: subscriptions
    unsubscribed: int = 0  #: subscriptions that somebody else has ended
    failed: int = 0  #: requests answered 503: SNS sends them again
    refused: Counter[str] = field(default_factory=Counter)  #: requests answered 4xx, by `Reason`


@dataclass(frozen=True, slots=True)
class _Refused:
    reason: Reason
    said: str


@dataclass(frozen=True, slots=True)
class _Failed:
    said: str


@dataclass(frozen=True, slots=True)
class _Done:
    said: str


_Answer = _Done | _Refused | _Failed


class SnsReceiver:
    """The endpoint of one function, for the topics it is subscribed to and no others.

    `confirm` None confirms as SNS asks, by a GET of its SubscribeURL, which then must be AWS' own; a service that talks
    to a server of one's own gives that server's ConfirmSubscription, and no URL of a message is ever visited.
    """

    body_limit_bytes: int = BODY_LIMIT_BYTES
    is_self_proving: bool = True

    def __init__(
        self,
        function_name: str,
        topics: Iterable[ReceivedTopic],
        accept: Accept,
        *,
        certificates: Certificates,
        confirm: Confirm | None = None,
        fetch: Fetch = fetch_https,
        settings: SnsSettings = SnsSettings(),
    ) -> None:
        self.statistics: SnsStatistics = SnsStatistics()
        self._function_name = function_name
        self._topics = {topic.topic_arn: topic for topic in topics}
        self._accept = accept
        self._certificates = certificates
        self._confirm = confirm
        self._fetch = fetch
        self._settings = settings
        self._logged_at: dict[Reason, float] = {}
        self._log = telemetry.logger("eventmap.receivers").bind(function=function_name)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """One request of SNS; header names are in lower case. Returns the status and a line for the sender."""
        answer = await self._answer(headers, body)
        match answer:
            case _Done(said):
                return 200, said
            case _Refused(reason, said):
                self.statistics.refused[reason] += 1
                self._tell_refused(reason, said)
                return _STATUS[reason], said
            case _Failed(said):
                self.statistics.failed += 1
                self._log.warning(telemetry.PUSH_FAILED, reason=said)
                return 503, "not accepted this time: try again"
            case _:
                assert_never(answer)

    async def _answer(self, headers: Mapping[str, str], body: bytes) -> _Answer:
        if headers.get("x-amz-sns-rawdelivery", "").lower() == "true":
            return await self._raw(headers, body)
        envelope = envelope_of(body)
        if envelope is None:
            return _Refused("malformed", "this is no message of SNS")
        topic = self._topics.get(envelope.topic_arn)
        if topic is None:
            return _Refused("topic", _NOT_OURS)
        if (problem := await self._problem(envelope)) is not None:
            return problem
        match envelope.type:
            case "Notification":
                return await self._notified(envelope, topic, headers)
            case "SubscriptionConfirmation":
                return await self._asked_to_confirm(envelope, topic)
            case "UnsubscribeConfirmation":
                # Its SubscribeURL would subscribe us again: whoever unsubscribed us meant it (SNS-27).
                self.statistics.unsubscribed += 1
                self._log.warning(telemetry.SUBSCRIPTION_ENDED, topic=topic.topic_arn)
                return _Done("unsubscribed")
            case _:
                assert_never(envelope.type)

    async def _problem(self, envelope: Envelope) -> _Refused | _Failed | None:
        """Why a message is not believed; None = SNS has sent it, and lately."""
        if problem := staleness(envelope, wall_time_s(), self._settings.tolerance_s):
            return _Refused("stale", problem)
        if not self._settings.verify_signatures:
            return None
        version, signature, url = (envelope.text(each) for each in ("SignatureVersion", "Signature", "SigningCertURL"))
        if signature is None or url is None or version not in VERSIONS:
            return _Refused("forged", "it has no signature of a known version")
        if version == "1" and self._settings.refuse_version_1:
            return _Refused("forged", "signatures of version 1 are refused here: set the topic's SignatureVersion to 2")
        answer = await self._certificates.at(url)
        match answer:
            case Trusted(certificate):
                known = cast(SignatureVersion, version)
                genuine = verify(string_to_sign(envelope), signature, known, certificate)
                return None if genuine else _Refused("forged", "its signature is not SNS' own")
            case Untrusted(reason):
                return _Refused("forged", reason)
            case Unreachable(reason):
                return _Failed(reason)
            case _:
                assert_never(answer)

    async def _raw(self, headers: Mapping[str, str], body: bytes) -> _Answer:
        if not self._settings.allow_raw:
            return _Refused("raw", "raw deliveries are not signed, and refused here: set RawMessageDelivery to false")
        message_id = headers.get("x-amz-sns-message-id", "")
        topic = self._topics.get(headers.get("x-amz-sns-topic-arn", ""))
        if topic is None:
            return _Refused("topic", _NOT_OURS)
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return _Refused("malformed", "its body is not UTF-8")
        if not message_id:
            return _Refused("malformed", "it has no message id")
        # Not filtered here: a raw delivery comes without the attributes that a policy may ask for (SNS-70).
        envelope = raw_envelope(text, topic_arn=topic.topic_arn, message_id=message_id, now=utc_now())
        return await self._take(envelope, topic, headers)

    async def _notified(self, envelope: Envelope, topic: ReceivedTopic, headers: Mapping[str, str]) -> _Answer:
        if not topic.passes(envelope):
            self.statistics.filtered += 1
            return _Done("filtered")
        return await self._take(envelope, topic, headers)

    async def _take(self, envelope: Envelope, topic: ReceivedTopic, headers: Mapping[str, str]) -> _Answer:
        subscription_arn = topic.subscription_named(headers.get("x-amz-sns-subscription-arn", ""))
        try:
            payload = event_text(await with_payload(envelope, topic.pointers), subscription_arn)
        except ValueError as error:
            return _Refused("malformed", str(error))
        except SourceError as error:
            return _Failed(str(error))
        try:
            fresh = await self._accept(
                payload,
                request_id=notification_request_id(envelope, self._function_name),
                trace_id=headers.get("x-amzn-trace-id", ""),
            )
        except (StateError, SourceError) as error:
            return _Failed(str(error))
        if fresh:
            self.statistics.accepted += 1
            return _Done("accepted")
        self.statistics.repeated += 1
        return _Done("accepted before")

    async def _asked_to_confirm(self, envelope: Envelope, topic: ReceivedTopic) -> _Answer:
        try:
            subscription_arn = await self._confirmed(envelope)
        except TransientSourceError as error:
            return _Failed(str(error))
        except SourceError as error:
            return _Refused("token", f"the subscription could not be confirmed: {error}")
        self.statistics.confirmed += 1
        topic.subscribed(subscription_arn)
        self._log.info(telemetry.SUBSCRIPTION_CONFIRMED, subscription=subscription_arn)
        return _Done("confirmed")

    async def _confirmed(self, envelope: Envelope) -> str:
        """The subscription's ARN. Raises: SourceError and its kinds."""
        if self._confirm is not None:
            return await self._confirm(envelope.topic_arn, envelope.text("Token") or "")
        url = envelope.text("SubscribeURL") or ""
        if problem := subscribe_url_problem(url):
            raise SourceError(f"its SubscribeURL is not visited: {problem}")
        found = _SUBSCRIPTION_ARN.search(await self._fetch(url))
        if found is None:
            raise TransientSourceError("SNS did not answer which subscription is confirmed")
        return found[1].decode()

    def _tell_refused(self, reason: Reason, said: str) -> None:
        now = elapsed_s()
        if now >= self._logged_at.get(reason, -_LOGGED_EVERY_S) + _LOGGED_EVERY_S:
            self._logged_at[reason] = now
            self._log.warning(telemetry.PUSH_REFUSED, kind=reason, reason=said, so_far=self.statistics.refused[reason])
