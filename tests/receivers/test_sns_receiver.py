"""An endpoint that SNS posts to: what is genuine is accepted, once and durably; all else is refused and counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventmap.errors import SourceError, StateError, TransientSourceError
from eventmap.receivers.certificates import Certificates
from eventmap.receivers.fetch import Fetch
from eventmap.receivers.sns import Confirm, SnsReceiver, SnsSettings
from eventmap.receivers.topics import ReceivedTopic
from eventmap.rules.filter_policy import FilterPolicy
from eventmap.testing.sns_signing import CERTIFICATE_URL, SigningAuthority

from .accepting import Accepting

pytestmark = pytest.mark.virtual_time

NOW = datetime(2026, 1, 1, tzinfo=UTC)  # virtual time begins here
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
SUBSCRIPTION = f"{TOPIC}:0b1c9c34-3cf9-4d8e-93c5-000000000001"
SUBSCRIBE_URL = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=s3cret"
CONFIRMED = f"<a><SubscriptionArn>{SUBSCRIPTION}</SubscriptionArn></a>".encode()
AUTHORITY = SigningAuthority(now=NOW)
OTHER = SigningAuthority(now=NOW)

Message = dict[str, Any]


def notification(**changed: Any) -> Message:
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": 'Hello "world" ü',
        "Timestamp": stamp(),
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {"colour": {"Type": "String", "Value": "red"}},
    }
    return {name: value for name, value in (message | changed).items() if value is not None}


def confirmation(kind: str = "SubscriptionConfirmation", **changed: Any) -> Message:
    return {
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "s3cret",
        "TopicArn": TOPIC,
        "Message": "You have chosen to subscribe",
        "SubscribeURL": SUBSCRIBE_URL,
        "Timestamp": stamp(),
        **changed,
    }


def stamp(ahead_s: float = 0.0) -> str:
    at = NOW + timedelta(seconds=ahead_s)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Scene:
    """One endpoint, whom it accepts for, and what it has fetched."""

    def __init__(
        self,
        fetch: Fetch = AUTHORITY.fetch,
        *,
        policy: FilterPolicy | None = None,
        confirm: Confirm | None = None,
        **settings: Any,
    ) -> None:
        """`fetch` gets certificates."""
        self.accept = Accepting()
        self.fetched: list[str] = []
        self.topic = ReceivedTopic(TOPIC, policy)
        self.receiver = SnsReceiver(
            "work",
            [self.topic],
            self.accept,
            certificates=Certificates(fetch),
            confirm=confirm,
            fetch=self._fetch,
            settings=SnsSettings(**settings),
        )

    async def post(self, message: object, **headers: str) -> int:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        status, _ = await self.receiver.receive(headers, body)
        return status

    async def _fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return CONFIRMED

    @property
    def refused(self) -> dict[str, int]:
        return dict(self.receiver.statistics.refused)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_sns_36_39_50_to_55_a_signed_message_becomes_the_lambda_event(version: Any) -> None:
    """SNS-36, 39, 50..55: both signature versions; the event is AWS', with its own spelling of URLs."""
    scene = Scene()
    message = AUTHORITY.sign(notification(), version)

    status = await scene.post(message, **{"x-amz-sns-subscription-arn": SUBSCRIPTION})

    assert status == 200
    [event] = scene.accept.events
    assert list(event) == ["Records"]
    assert event["Records"] == [
        {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": SUBSCRIPTION,
            "Sns": {
                "Type": "Notification",
                "MessageId": message["MessageId"],
                "TopicArn": TOPIC,
                "Subject": "My First Message",
                "Message": 'Hello "world" ü',
                "Timestamp": message["Timestamp"],
                "SignatureVersion": version,
                "Signature": message["Signature"],
                "SigningCertUrl": CERTIFICATE_URL,
                "UnsubscribeUrl": message["UnsubscribeURL"],
                "MessageAttributes": {"colour": {"Type": "String", "Value": "red"}},
            },
        }
    ]


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"])
async def test_sns_39_a_change_of_any_signed_field_is_a_forgery(field: str) -> None:
    """SNS-39: nothing is accepted, whichever of the signed fields was touched."""
    scene = Scene()
    message = AUTHORITY.sign(notification())
    changed = {"Timestamp": stamp(-1), "TopicArn": f"{TOPIC}x"}.get(field, f"{message[field]}!")

    status = await scene.post({**message, field: changed})

    assert (status, scene.accept.events) == (403, [])
    assert scene.refused in ({"forged": 1}, {"topic": 1})


async def test_sns_40_unsigned_fields_are_free() -> None:
    """SNS-40: attributes and the URL to unsubscribe are nobody's promise."""
    scene = Scene()
    message = AUTHORITY.sign(notification())

    status = await scene.post({**message, "UnsubscribeURL": "https://example.com/", "MessageAttributes": {}})

    assert status == 200


async def test_sns_39_41_a_message_without_a_subject_is_signed_without_one() -> None:
    """SNS-39, 41: absent and null are the same."""
    scene = Scene()
    message = AUTHORITY.sign(notification(Subject=None))

    statuses = await scene.post(message), await scene.post({**message, "Subject": None})

    assert statuses == (200, 200)
    assert scene.accept.events[0]["Records"][0]["Sns"]["Subject"] is None


async def test_sns_36_42_43_what_is_not_signed_by_sns_is_refused() -> None:
    """SNS-36, 42, 43: no signature, another key's, another version's, garbage; each is counted as a forgery."""
    scene = Scene()
    genuine = AUTHORITY.sign(notification())
    forged: list[Message] = [
        notification(),
        OTHER.sign(notification()),
        {**genuine, "SignatureVersion": "2"},
        {**genuine, "SignatureVersion": "3"},
        {**genuine, "SignatureVersion": 1},
        {**genuine, "Signature": "not base64 !"},
        {**genuine, "Signature": ""},
        {**genuine, "Signature": None},
        {name: value for name, value in genuine.items() if name != "SigningCertURL"},
    ]

    statuses = [await scene.post(each) for each in forged]

    assert statuses == [403] * len(forged)
    assert (scene.refused, scene.accept.events) == ({"forged": len(forged)}, [])


async def test_sns_43_version_1_can_be_refused() -> None:
    """SNS-43: a setting for who wants no SHA-1."""
    scene = Scene(refuse_version_1=True)

    statuses = [await scene.post(AUTHORITY.sign(notification(), version)) for version in ("1", "2")]

    assert statuses == [403, 200]


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://sns.us-east-1.amazonaws.com./a.pem",
        "https://sns.us-east-1.amazonaws.com/a.txt",
        "https://s3.amazonaws.com/bucket/a.pem",
        "https://169.254.169.254/latest/a.pem",
        "https://localhost/a.pem",
        "https://sns.us-east-1.amazonaws.com\\@evil.example/a.pem",
        "https://sns.us-eаst-1.amazonaws.com/a.pem",
        "file:///etc/passwd.pem",
        "",
    ],
)
async def test_sns_37_a_certificate_from_elsewhere_is_never_fetched(url: str) -> None:
    """SNS-37: the URL is judged before anything is asked for."""
    authority = SigningAuthority(url=url, now=NOW) if url else AUTHORITY
    scene = Scene(authority.fetch)
    authority.fetched.clear()

    status = await scene.post({**authority.sign(notification()), "SigningCertURL": url})

    assert (status, authority.fetched, scene.accept.events) == (403, [], [])


@pytest.mark.parametrize("years", [-3, 3], ids=["expired", "not yet valid"])
async def test_sns_42_a_certificate_outside_its_period_is_not_believed(years: int) -> None:
    """SNS-42: though SNS' own place has it."""
    authority = SigningAuthority(now=NOW + timedelta(days=365 * years))
    scene = Scene(authority.fetch)

    assert (await scene.post(authority.sign(notification())), scene.refused) == (403, {"forged": 1})


async def test_sns_42_a_certificate_is_fetched_once() -> None:
    """SNS-42: a hundred messages, at once and one by one, cost one fetch."""
    AUTHORITY.fetched.clear()
    scene = Scene()

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(scene.post, AUTHORITY.sign(notification(MessageId=f"m-{number}")))
    await scene.post(AUTHORITY.sign(notification(MessageId="another")))

    assert AUTHORITY.fetched == [CERTIFICATE_URL]
    assert scene.receiver.statistics.accepted == 101


async def test_sns_42_a_certificate_that_cannot_be_had_now_is_asked_for_again() -> None:
    """SNS-42: SNS is told to try again, and a moment later it is believed."""
    answers: list[Exception | bytes] = [TransientSourceError("away"), AUTHORITY.certificate_pem]

    async def fetch(url: str) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    scene = Scene(fetch)
    message = AUTHORITY.sign(notification())

    first = await scene.post(message)
    await anyio.sleep(20)
    second = await scene.post(message)

    assert (first, second) == (503, 200)


@pytest.mark.parametrize(("ahead_s", "status"), [(-3_599, 200), (-3_601, 403), (3_599, 200), (3_601, 403)])
async def test_sns_44_what_is_an_hour_off_our_clock_is_stale(ahead_s: float, status: int) -> None:
    """SNS-44: in either direction; a replay of yesterday's message is refused before its signature is looked at."""
    scene = Scene()

    assert await scene.post(AUTHORITY.sign(notification(Timestamp=stamp(ahead_s)))) == status
    assert scene.refused == ({} if status == 200 else {"stale": 1})


async def test_sns_44_a_message_that_comes_again_is_accepted_once() -> None:
    """SNS-29, 44: SNS' own retry and a replay alike are answered 200 and run once."""
    scene = Scene()
    message = AUTHORITY.sign(notification())

    statuses = [await scene.post(message) for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert (scene.receiver.statistics.accepted, scene.receiver.statistics.repeated) == (1, 2)
    assert len(scene.accept.events) == 1


async def test_sns_26_a_message_of_another_topic_is_refused() -> None:
    """SNS-26: though SNS has signed it."""
    scene = Scene()

    status = await scene.post(AUTHORITY.sign(notification(TopicArn=f"{TOPIC}-other")))

    assert (status, scene.refused, scene.accept.events) == (403, {"topic": 1}, [])


async def test_sns_20_to_23_a_subscription_is_confirmed_by_a_visit() -> None:
    """SNS-20..23, 26: signed, of our topic, and at SNS' own host."""
    scene = Scene()

    status = await scene.post(AUTHORITY.sign(confirmation()))

    assert (status, scene.fetched) == (200, [SUBSCRIBE_URL])
    assert scene.topic.subscription_arn == SUBSCRIPTION
    assert scene.receiver.statistics.confirmed == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "http://127.0.0.1:8080/",
        "https://evil.example/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com@evil.example/",
        "ftp://sns.us-east-1.amazonaws.com/",
    ],
)
async def test_sns_26_a_subscribe_url_to_elsewhere_is_never_visited(url: str) -> None:
    """SNS-26: even one that is signed."""
    scene = Scene()

    status = await scene.post(AUTHORITY.sign(confirmation(SubscribeURL=url)))

    assert (status, scene.fetched) == (400, [])


async def test_sns_26_a_forged_or_foreign_confirmation_is_not_visited() -> None:
    """SNS-26: signature and topic come first."""
    scene = Scene()
    forged = {**AUTHORITY.sign(confirmation()), "Token": "another"}
    foreign = AUTHORITY.sign(confirmation(TopicArn=f"{TOPIC}-other"))

    statuses = [await scene.post(each) for each in (confirmation(), forged, foreign)]

    assert (statuses, scene.fetched) == ([403, 403, 403], [])


async def test_sns_24_25_a_token_that_sns_does_not_know_is_refused_for_good() -> None:
    """SNS-24, 25: through a server's own API; what may pass is tried again."""
    failures: list[SourceError] = [SourceError("Invalid parameter: Token"), TransientSourceError("busy")]

    async def confirm(topic_arn: str, token: str) -> str:
        raise failures.pop(0)

    scene = Scene(confirm=confirm)

    statuses = [await scene.post(AUTHORITY.sign(confirmation())) for _ in range(2)]

    assert (statuses, scene.fetched) == ([400, 503], [])


async def test_sns_27_an_unsubscribe_confirmation_is_noted_and_not_followed() -> None:
    """SNS-27: its URL would subscribe us again."""
    scene = Scene()

    status = await scene.post(AUTHORITY.sign(confirmation("UnsubscribeConfirmation")))

    assert (status, scene.fetched, scene.receiver.statistics.unsubscribed) == (200, [], 1)


@pytest.mark.parametrize("failure", [StateError("the disk is full"), TransientSourceError("throttled")])
async def test_sns_58_114_nothing_is_acknowledged_that_is_not_durable(
    failure: StateError | TransientSourceError,
) -> None:
    """SNS-58, 114: 503, so that SNS sends it again; then it is accepted."""
    scene = Scene()
    message = AUTHORITY.sign(notification())
    scene.accept.failure = failure

    first = await scene.post(message)
    scene.accept.failure = None
    second = await scene.post(message)

    assert (first, second, len(scene.accept.events)) == (503, 200, 1)


async def test_sns_75_98_a_filter_policy_is_evaluated_here_too() -> None:
    """SNS-75, 98: SNS takes a while to act on a new policy; what it lets through meanwhile is acknowledged, not run."""
    scene = Scene(policy=FilterPolicy('{"colour": ["blue"]}', "MessageAttributes"))
    blue = {"colour": {"Type": "String", "Value": "blue"}}

    statuses = [
        await scene.post(AUTHORITY.sign(notification())),
        await scene.post(AUTHORITY.sign(notification(MessageId="m2", MessageAttributes=blue))),
    ]

    assert (statuses, scene.receiver.statistics.filtered, len(scene.accept.events)) == ([200, 200], 1, 1)


async def test_sns_32_70_raw_deliveries_are_refused_unless_told() -> None:
    """SNS-32, 70: nobody has signed them."""
    headers = {
        "x-amz-sns-rawdelivery": "true",
        "x-amz-sns-topic-arn": TOPIC,
        "x-amz-sns-message-id": "m1",
        "x-amz-sns-subscription-arn": SUBSCRIPTION,
    }
    strict, trusting = Scene(), Scene(allow_raw=True)

    statuses = await strict.post(b"just text", **headers), await trusting.post(b"just text", **headers)

    assert (statuses, strict.refused) == ((403, 200), {"raw": 1})
    [event] = trusting.accept.events
    assert event["Records"][0]["Sns"]["Message"] == "just text"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"Type": "Other"}'])
async def test_sns_21_35_what_is_no_message_is_malformed(body: bytes) -> None:
    """SNS-21, 35: refused for good, nothing raised."""
    scene = Scene()

    assert (await scene.post(body), scene.refused) == (400, {"malformed": 1})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from([*notification(), "Token", "Signature", "SigningCertURL"]), _JSON))
async def test_sns_21_35_39_no_value_of_any_member_raises_or_is_believed(changes: Message) -> None:
    """Whatever a stranger puts where: an answer, and nothing accepted that SNS has not signed."""
    scene = Scene()
    message = AUTHORITY.sign(notification())
    signed = {name for name in changes if name not in ("MessageAttributes", "UnsubscribeURL", "Token")}

    status = await scene.post({**message, **changes})

    assert status in (200, 400, 403)
    if any(changes[name] != message.get(name) for name in signed):
        assert scene.accept.events == []


async def test_sns_26_42_without_signatures_only_where_the_service_says_so() -> None:
    """For emulators on this machine: everything else is checked as ever."""
    scene = Scene(verify_signatures=False)

    statuses = [
        await scene.post(notification()),
        await scene.post(notification(TopicArn=f"{TOPIC}x")),
        await scene.post(notification(MessageId="m2", Timestamp=stamp(-7_200))),
    ]

    assert statuses == [200, 403, 403]


def test_the_test_kits_authority_refuses_what_is_no_message() -> None:
    """A test that signs nonsense would test nothing."""
    with pytest.raises(ValueError, match="lacks"):
        AUTHORITY.sign({"Type": "Notification"})
