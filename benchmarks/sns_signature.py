"""SNS signatures: how many messages a second are read and found genuine, and what the library alone can verify."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable
from typing import Final, Literal

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate

from benchmarks.figure import AtLeast, Figure
from eventmap.rules.sns_message import envelope_of, string_to_sign
from eventmap.rules.sns_signature import read_certificate, verify
from eventmap.testing.sns_signing import SigningAuthority

_MESSAGE: Final = {
    "Type": "Notification",
    "MessageId": "0b1c9c34-3cf9-4d8e-93c5-000000000001",
    "TopicArn": "arn:aws:sns:us-east-1:123456789012:orders",
    "Subject": "an order",
    "Message": '{"orderId":"0123456789"}' * 43,  # 1 KB
    "Timestamp": "2026-01-01T00:00:00.000Z",
}


def measure(*, quick: bool) -> list[Figure]:
    rounds, count = (1, 50) if quick else (5, 10_000)
    authority = SigningAuthority()
    certificate = read_certificate(authority.certificate_pem)
    figures = []
    for version, target in (("1", AtLeast(5_000)), ("2", AtLeast(5_000))):
        ours, alone = _sides(authority, certificate, "1" if version == "1" else "2")
        measured, bare = [], []
        for _ in range(rounds):
            measured.append(_rate(ours, count))
            bare.append(_rate(alone, count))
        figures.append(
            Figure(
                benchmark="sns_signature",
                name=f"message of 1 KB read and its signature checked, version {version}, certificate at hand",
                unit="messages/s",
                rounds=tuple(measured),
                target=target,
                ceiling=f"cryptography's bare verify: {sorted(bare)[len(bare) // 2]:,.0f}/s",
            )
        )
    return figures


def _sides(
    authority: SigningAuthority, certificate: Certificate, version: Literal["1", "2"]
) -> tuple[Callable[[], bool], Callable[[], bool]]:
    body = orjson.dumps(authority.sign(_MESSAGE, version))
    first = envelope_of(body)
    key = certificate.public_key()
    assert first is not None
    assert isinstance(key, RSAPublicKey)
    signed, signature = string_to_sign(first), b64decode(first.text("Signature") or "")
    padding, algorithm = PKCS1v15(), SHA1() if version == "1" else SHA256()

    def ours() -> bool:
        envelope = envelope_of(body)
        assert envelope is not None
        return verify(string_to_sign(envelope), envelope.text("Signature") or "", version, certificate)

    def alone() -> bool:
        key.verify(signature, signed, padding, algorithm)
        return True

    return ours, alone


def _rate(check: Callable[[], bool], count: int) -> float:
    began_s = time.perf_counter()
    genuine = sum(check() for _ in range(count))
    took_s = time.perf_counter() - began_s
    assert genuine == count
    return count / took_s
