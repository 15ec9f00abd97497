"""Messages of SNS: what is one, what is signed of it, where its URLs may lead, and the event it becomes."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.rules.filtering import SqsFilter
from eventmap.rules.sns_message import (
    certificate_url_problem,
    envelope_in,
    envelope_of,
    lambda_event,
    raw_envelope,
    staleness,
    string_to_sign,
    subscribe_url_problem,
)
from eventmap.rules.sns_signature import is_valid_at, read_certificate, verify
from eventmap.testing.sns_signing import SigningAuthority, shared_authority

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
SUBSCRIPTION = f"{TOPIC}:0b1c9c34-3cf9-4d8e-93c5-000000000001"
SENT_AT = datetime(2021, 2, 16, 21, 41, 19, 978_000, tzinfo=UTC)

NOTIFICATION: dict[str, Any] = {
    "Type": "Notification",
    "MessageId": "a1",
    "TopicArn": TOPIC,
    "Subject": "greeting",
    "Message": 'line\n"ä"',
    "Timestamp": "2021-02-16T21:41:19.978Z",
    "SignatureVersion": "1",
    "Signature": "c2ln",
    "SigningCertURL": "https://sns.us-east-1.amazonaws.com/x.pem",
    "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    "MessageAttributes": {
        "attr1": {"Type": "Number", "Value": "99.12"},
        "attr2": {"Type": "Binary", "Value": "AgME"},
    },
}
CONFIRMATION: dict[str, Any] = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "a2",
    "Token": "t0ken",
    "TopicArn": TOPIC,
    "Message": "You have chosen",
    "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
    "Timestamp": "2021-02-16T21:41:19.978Z",
    "SignatureVersion": "1",
    "Signature": "c2ln",
    "SigningCertURL": "https://sns.us-east-1.amazonaws.com/x.pem",
}


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def test_sns_39_what_is_signed_of_a_notification() -> None:
    """Six members in this order, each a line, and its value as decoded; a newline behind the last."""
    envelope = envelope_of(json.dumps(NOTIFICATION))
    assert envelope is not None

    assert string_to_sign(envelope).decode() == (
        'Message\nline\n"ä"\nMessageId\na1\nSubject\ngreeting\nTimestamp\n2021-02-16T21:41:19.978Z\n'
        f"TopicArn\n{TOPIC}\nType\nNotification\n"
    )


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_sns_39_what_is_signed_of_a_confirmation(kind: str) -> None:
    """Seven members, the URL and the token among them."""
    envelope = envelope_in({**CONFIRMATION, "Type": kind})
    assert envelope is not None

    assert string_to_sign(envelope).decode() == (
        f"Message\nYou have chosen\nMessageId\na2\nSubscribeURL\n{CONFIRMATION['SubscribeURL']}\n"
        f"Timestamp\n2021-02-16T21:41:19.978Z\nToken\nt0ken\nTopicArn\n{TOPIC}\nType\n{kind}\n"
    )


@pytest.mark.parametrize("subject", [None, "absent"])
def test_sns_39_41_a_subject_of_null_is_not_there(subject: str | None) -> None:
    """As in a function's record, whose message has none."""
    message = without(NOTIFICATION, "Subject") if subject else {**NOTIFICATION, "Subject": None}
    envelope = envelope_in(message)
    assert envelope is not None

    assert b"Subject" not in string_to_sign(envelope)


@pytest.mark.parametrize("name", ["MessageAttributes", "UnsubscribeURL", "SequenceNumber"])
def test_sns_40_three_members_are_not_signed(name: str) -> None:
    """Whatever they hold, or whether they are there."""
    with_it = envelope_in({**NOTIFICATION, name: {"a": {"Type": "String", "Value": "b"}}})
    without_it = envelope_in(without(NOTIFICATION, name))
    assert with_it is not None and without_it is not None

    assert string_to_sign(with_it) == string_to_sign(without_it)


@pytest.mark.parametrize("message", [NOTIFICATION, CONFIRMATION])
def test_sns_38_a_functions_record_spells_its_urls_in_its_own_way(message: dict[str, Any]) -> None:
    """It holds the same message, signed in the same way."""
    over_http = envelope_in(message)
    assert over_http is not None

    record: Any = lambda_event(over_http, SUBSCRIPTION)["Records"]
    again = envelope_in(record[0]["Sns"])

    assert again is not None
    assert string_to_sign(again) == string_to_sign(over_http)
    assert again.text("SigningCertURL") == over_http.text("SigningCertURL")


def test_sns_50_to_57_the_event_of_a_notification_byte_for_byte() -> None:
    """One record, capitalised, its members in AWS' order."""
    envelope = envelope_in(NOTIFICATION)
    assert envelope is not None

    assert orjson.dumps(lambda_event(envelope, SUBSCRIPTION)).decode() == (
        '{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"' + SUBSCRIPTION + '",'
        '"Sns":{"Type":"Notification","MessageId":"a1","TopicArn":"' + TOPIC + '","Subject":"greeting",'
        '"Message":"line\\n\\"ä\\"","Timestamp":"2021-02-16T21:41:19.978Z","SignatureVersion":"1","Signature":"c2ln",'
        '"SigningCertUrl":"https://sns.us-east-1.amazonaws.com/x.pem",'
        '"UnsubscribeUrl":"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",'
        '"MessageAttributes":{"attr1":{"Type":"Number","Value":"99.12"},"attr2":{"Type":"Binary","Value":"AgME"}}}}]}'
    )


def test_sns_52_55_subject_and_attributes_are_always_there() -> None:
    """Null and an empty object where the message has none."""
    envelope = envelope_in(without(NOTIFICATION, "Subject", "MessageAttributes"))
    assert envelope is not None
    record: Any = lambda_event(envelope, SUBSCRIPTION)["Records"]

    assert record[0]["Sns"]["Subject"] is None
    assert record[0]["Sns"]["MessageAttributes"] == {}


def test_sns_58a_a_confirmation_through_a_function() -> None:
    """Of no subscription yet, with a token and its URL; without subject and attributes."""
    envelope = envelope_in(CONFIRMATION)
    assert envelope is not None
    record: Any = lambda_event(envelope, None)["Records"]

    assert record[0]["EventSubscriptionArn"] is None
    assert list(record[0]["Sns"]) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "Token",
        "SubscribeUrl",
    ]


def test_sns_45_65_67_68_an_envelope_needs_no_signature() -> None:
    """FIFO topics sign nothing; spacing says nothing."""
    unsigned = without(NOTIFICATION, "Signature", "SignatureVersion", "SigningCertURL")

    for text in (json.dumps(unsigned), json.dumps(unsigned, indent=2), json.dumps(unsigned, separators=(",", ":"))):
        envelope = envelope_of(text)
        assert envelope is not None
        assert (envelope.message, envelope.sent_at) == (NOTIFICATION["Message"], SENT_AT.timestamp())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "[]",
        '{"Type":"Notification"}',
        '{"Message":"m","MessageId":"i","TopicArn":"t"}',
        json.dumps({**NOTIFICATION, "Type": "Other"}),
        json.dumps({**NOTIFICATION, "Type": ["Notification"]}),
        json.dumps(without(NOTIFICATION, "TopicArn")),
        json.dumps({**NOTIFICATION, "Message": {"a": 1}}),
        json.dumps({**NOTIFICATION, "MessageId": 7}),
        json.dumps({**NOTIFICATION, "Subject": 7}),
        json.dumps({**NOTIFICATION, "MessageAttributes": []}),
        json.dumps({**NOTIFICATION, "MessageAttributes": {"a": "b"}}),
        json.dumps({**NOTIFICATION, "MessageAttributes": {"a": {"Type": "String", "Value": 1}}}),
        json.dumps({**NOTIFICATION, "Timestamp": "yesterday"}),
        json.dumps({**NOTIFICATION, "Timestamp": "2021-02-30T00:00:00.000Z"}),
        json.dumps({**NOTIFICATION, "Timestamp": "２021-02-16T21:41:19.978Z"}),
        json.dumps(without(CONFIRMATION, "Token")),
        json.dumps(without(CONFIRMATION, "SubscribeURL")),
        "[" * 100_000,
    ],
)
def test_sns_67_anything_else_is_plain(body: str) -> None:
    """A message lacks nothing it must have, and each member is of its type."""
    assert envelope_of(body) is None


def test_sns_67_of_members_that_are_there_twice_one_is_believed_and_signed() -> None:
    """Never one for the signature and the other for the function."""
    twice = json.dumps(NOTIFICATION)[:-1] + ', "Message": "other"}'
    envelope = envelope_of(twice)
    assert envelope is not None
    record: Any = lambda_event(envelope, SUBSCRIPTION)["Records"]

    assert f"Message\n{record[0]['Sns']['Message']}\n".encode() in string_to_sign(envelope)


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.us-east-1.amazonaws.com:443/a/b.pem",
        "https://SNS.us-east-1.AmazonAWS.com/x.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/x.pem",
        "https://sns.us-gov-west-1.amazonaws.com/x.pem?v=1",
    ],
)
def test_sns_37_where_certificates_come_from(url: str) -> None:
    """SNS' hosts, of any region and partition."""
    assert certificate_url_problem(url) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"body": {"TopicArn": [TOPIC]}}, True),
        ({"body": {"MessageAttributes": {"attr1": {"Value": ["99.12"]}}}}, True),
        ({"body": {"Message": [{"prefix": '{"total"'}]}}, True),
        ({"body": {"Message": {"total": [7]}}}, False),
        ({"body": {"total": [7]}}, False),
    ],
)
def test_sns_69_a_filter_on_a_body_sees_the_envelope(pattern: dict[str, Any], expected: bool) -> None:
    """Its message is text, even where that is JSON."""
    body = json.dumps({**NOTIFICATION, "Message": '{"total":7}'})

    assert SqsFilter([json.dumps(pattern)]).passes({"messageId": "1", "body": body}) is expected


ELSEWHERE = [
    "",
    "x.pem",
    "http://sns.us-east-1.amazonaws.com/x.pem",
    "ftp://sns.us-east-1.amazonaws.com/x.pem",
    "file:///etc/passwd.pem",
    "//sns.us-east-1.amazonaws.com/x.pem",
    "https:///x.pem",
    "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
    "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
    "https://evil.example@sns.us-east-1.amazonaws.com/x.pem",
    "https://user:word@sns.us-east-1.amazonaws.com/x.pem",
    "https://@sns.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com:8443/x.pem",
    "https://sns.us-east-1.amazonaws.com:/x.pem",
    "https://sns.us-east-1.amazonaws.com:x/x.pem",
    "https://sns.us-east-1.amazonaws.com:99999/x.pem",
    "https://sns.us-east-1.amazonaws.com./x.pem",
    "https://sns..amazonaws.com/x.pem",
    "https://sns.us.amazonaws.com/x.pem",
    "https://sns.us_east.amazonaws.com/x.pem",
    "https://sns.a.b.amazonaws.com/x.pem",
    "https://xsns.us-east-1.amazonaws.com/x.pem",
    "https://sns-us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.co/x.pem",
    "https://sns.us-east-1.amazonaws.com.uk/x.pem",
    "https://sns.us-east-１.amazonaws.com/x.pem",
    "https://sns.us-eaſt-1.amazonaws.com/x.pem",
    "https://sns.us-east-1。amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com\\@evil.example/x.pem",
    "https://evil.example\\.sns.us-east-1.amazonaws.com/x.pem",
    "https://evil.example#.sns.us-east-1.amazonaws.com/x.pem",
    "https://evil.example?.sns.us-east-1.amazonaws.com/x.pem",
    " https://sns.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com/x.pem\n",
    "https://sns.us-east-1.amazonaws.com\t/x.pem",
    "https://sns.us-east-1.amazonaws.com/\r\nHost: evil.example/x.pem",
    "https://[::1]/x.pem",
    "https://[sns.us-east-1.amazonaws.com]/x.pem",
    "https://127.0.0.1/x.pem",
    "https://sns.%75s-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com/" + "x" * 2_048 + ".pem",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_sns_26_37_neither_certificates_nor_confirmations_are_fetched_elsewhere(url: str) -> None:
    """However the URL is written."""
    assert certificate_url_problem(url) is not None
    assert subscribe_url_problem(url) is not None


@pytest.mark.parametrize("path", ["", "/", "/x.pem.txt", "/x.PEM", "/x?y=.pem", "/x#.pem", "/pem", "/x.pem/"])
def test_sns_37_a_certificate_is_a_pem_file(path: str) -> None:
    """By the end of its path."""
    url = f"https://sns.us-east-1.amazonaws.com{path}"

    assert certificate_url_problem(url) == "its path does not end in .pem"
    assert subscribe_url_problem(url) is None


@given(st.text(), st.text())
def test_sns_37_no_url_raises(before: str, after: str) -> None:
    """Whatever it is made of; and what is allowed is https."""
    for url in (before, f"https://{before}sns.us-east-1.amazonaws.com{after}/x.pem"):
        if certificate_url_problem(url) is None:
            assert url.lower().startswith("https://sns.us-east-1.amazonaws.com")


@pytest.mark.parametrize(
    ("age_s", "is_fresh"), [(0, True), (3_600, True), (3_601, False), (-3_600, True), (-3_601, False), (1e9, False)]
)
def test_sns_44_a_message_is_stale_in_either_direction(age_s: float, is_fresh: bool) -> None:
    """Old ones are replays, and ours is the clock that decides."""
    envelope = envelope_in(NOTIFICATION)
    assert envelope is not None

    assert (staleness(envelope, SENT_AT.timestamp() + age_s, 3_600) is None) is is_fresh


@pytest.mark.parametrize("timestamp", ["2021-02-16T21:41:19Z", "2021-02-16T21:41:19.9Z", "2021-02-16T21:41:19.978123Z"])
def test_sns_51_timestamps_are_utc_to_whatever_fraction(timestamp: str) -> None:
    """Milliseconds on AWS; servers of one's own write others."""
    envelope = envelope_in({**NOTIFICATION, "Timestamp": timestamp})

    assert envelope is not None
    assert abs(envelope.sent_at - SENT_AT.timestamp()) < 1


def test_sns_28_to_32_70_a_raw_delivery_becomes_a_message_by_its_headers() -> None:
    """Its body is the message; nobody has signed it, and it has no attributes."""
    envelope = raw_envelope("text", topic_arn=TOPIC, message_id="a3", now=SENT_AT)
    record: Any = lambda_event(envelope, SUBSCRIPTION)["Records"]

    assert record[0]["Sns"] == {
        "Type": "Notification",
        "MessageId": "a3",
        "TopicArn": TOPIC,
        "Subject": None,
        "Message": "text",
        "Timestamp": "2021-02-16T21:41:19.978Z",
        "SignatureVersion": "",
        "Signature": "",
        "SigningCertUrl": "",
        "UnsubscribeUrl": "",
        "MessageAttributes": {},
    }


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_36_43_a_signature_is_of_one_version_and_one_certificate(version: Literal["1", "2"]) -> None:
    """SHA-1 or SHA-256: never the other, never another's, never over anything else."""
    authority = shared_authority()
    envelope = envelope_in(authority.sign(NOTIFICATION, version))
    assert envelope is not None
    signed, signature = string_to_sign(envelope), envelope.text("Signature") or ""
    certificate = read_certificate(authority.certificate_pem)
    stranger = read_certificate(SigningAuthority().certificate_pem)

    assert verify(signed, signature, version, certificate)
    assert not verify(signed, signature, "2" if version == "1" else "1", certificate)
    assert not verify(signed + b" ", signature, version, certificate)
    assert not verify(signed, signature, version, stranger)
    assert not verify(signed, signature[:-4], version, certificate)


@settings(max_examples=50)
@given(signature=st.one_of(st.text(), st.binary().map(lambda each: b64encode(each).decode())))
def test_sns_36_no_signature_raises(signature: str) -> None:
    """What is none is not SNS'."""
    assert not verify(b"signed", signature, "2", read_certificate(shared_authority().certificate_pem))


def test_sns_42_a_certificate_is_valid_for_its_own_period() -> None:
    """Both ends included."""
    authority = SigningAuthority(now=SENT_AT, valid_for=timedelta(days=2))
    certificate = read_certificate(authority.certificate_pem)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc

    moments = [begins - timedelta(seconds=1), begins, SENT_AT, ends, ends + timedelta(seconds=1)]

    assert [is_valid_at(certificate, at) for at in moments] == [False, True, True, True, False]


def _elliptic() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(SENT_AT).not_valid_after(SENT_AT + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("pem", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_sns_42_what_is_no_certificate_says_so(pem: bytes) -> None:
    """One kind of error."""
    with pytest.raises(ValueError):
        read_certificate(pem)


def test_sns_36_42_a_certificate_has_an_rsa_key() -> None:
    """SNS signs with no other, and no other verifies anything."""
    from cryptography.x509 import load_pem_x509_certificate

    with pytest.raises(ValueError, match="not RSA"):
        read_certificate(_elliptic())
    assert not verify(b"signed", "c2ln", "2", load_pem_x509_certificate(_elliptic()))


def test_sns_42_a_certificate_of_a_version_that_does_not_exist_is_none() -> None:
    """The library has an exception of its own for it."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    der = load_pem_x509_certificate(shared_authority().certificate_pem).public_bytes(Encoding.DER)
    version_3, version_7 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06"
    text = b64encode(der.replace(version_3, version_7, 1)).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))

    with pytest.raises(ValueError, match="version"):
        read_certificate(f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode())
