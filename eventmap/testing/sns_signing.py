"""An SNS that signs, for tests: a certificate authority of its own, and messages signed as AWS signs them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from eventmap.clock import utc_now
from eventmap.errors import SourceError
from eventmap.rules.sns_message import envelope_in, string_to_sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

CERTIFICATE_URL: Final = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-test.pem"
_VALID_FOR: Final = timedelta(days=365)
_KEY_BITS: Final = 2048


class SigningAuthority:
    """A signing key with its certificate, valid for a time around `now`, an aware instant; None = the clock's.

    Hand `fetch` to whoever fetches certificates. Making one takes a tenth of a second, so share it among tests.
    """

    def __init__(
        self, *, url: str = CERTIFICATE_URL, now: datetime | None = None, valid_for: timedelta = _VALID_FOR
    ) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.certificate_url: str = url
        self.fetched: list[str] = []  #: the URLs that were asked for
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        middle = utc_now() if now is None else now
        self.certificate_pem: bytes = _certificate(self._key, middle - valid_for / 2, middle + valid_for / 2)

    def sign(self, message: Mapping[str, Any], version: Literal["1", "2"] = "1") -> dict[str, Any]:
        """The message with its SignatureVersion, Signature and SigningCertURL (SNS-36..40).

        Raises: ValueError if it is no message of SNS.
        """
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        envelope = envelope_in(dict(message))
        if envelope is None:
            raise ValueError("it lacks what a message of SNS has")
        algorithm = SHA1() if version == "1" else SHA256()  # noqa: S303  # as SNS does by default
        signature = self._key.sign(string_to_sign(envelope), PKCS1v15(), algorithm)
        return {
            **message,
            "SignatureVersion": version,
            "Signature": b64encode(signature).decode(),
            "SigningCertURL": self.certificate_url,
        }

    async def fetch(self, url: str) -> bytes:
        """The certificate, from its URL and no other. Raises: SourceError."""
        self.fetched.append(url)
        if url != self.certificate_url:
            raise SourceError(f"{url} was answered with HTTP 404", code="404")
        return self.certificate_pem


@cache
def shared_authority() -> SigningAuthority:
    """One for the whole process, valid on any clock of a test."""
    return SigningAuthority(now=datetime(2050, 1, 1, tzinfo=UTC), valid_for=timedelta(days=60 * 365))


def _certificate(key: RSAPrivateKey, begins: datetime, ends: datetime) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, SHA256())
    )
    return certificate.public_bytes(Encoding.PEM)
