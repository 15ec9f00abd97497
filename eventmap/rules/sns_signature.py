"""Whether SNS has signed a message: RSA over the string of its fields, by SNS' certificate (SNS-36, 43)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SignatureVersion = Literal["1", "2"]
"""1 = SHA-1, 2 = SHA-256."""

VERSIONS: Final[tuple[str, ...]] = get_args(SignatureVersion)


def read_certificate(pem: bytes) -> Certificate:
    """Raises: ValueError if it is no certificate, or none with an RSA key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificate

    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except (InvalidVersion, UnsupportedAlgorithm) as error:  # neither is a ValueError there
        raise ValueError(str(error)) from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("its key is not RSA")
    return certificate


def is_valid_at(certificate: Certificate, now: datetime) -> bool:
    """Whether `now`, an aware instant, lies in its period (SNS-42)."""
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def verify(signed: bytes, signature: str, version: SignatureVersion, certificate: Certificate) -> bool:
    """Whether `signature`, base64, is the certificate's over `signed`. Never raises: what is no signature is none."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    try:
        # SHA-1 is what SNS signs with by default; who wants none of it refuses version 1 (SNS-43).
        algorithm = SHA1() if version == "1" else SHA256()  # noqa: S303
        key.verify(b64decode(signature, validate=True), signed, PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
