"""AWS Signature Version 4 from the receiving side: is this request signed by who it says? Pure functions.

A request carries its signature in the Authorization header, or, presigned, in the query.
"""

from __future__ import annotations

import functools
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from urllib.parse import quote, unquote

from eventmap.rules.invoke_errors import Refusal, unauthenticated

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = timedelta(minutes=5)
"""How far the clock of a caller may be off."""

_LONGEST_PRESIGNED_S: Final = 604_800
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SPACES: Final = re.compile(" +")
_IN_HEADER: Final = ("Credential", "Signature", "SignedHeaders")
_IN_QUERY: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
    "X-Amz-Expires",
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it was received."""

    method: str
    path: str  #: percent-encoded, as it came
    query: str  #: likewise
    headers: Sequence[tuple[str, str]]  #: names in lower case, in their order, repetitions included
    body: bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its own signature."""

    credential: str
    signed_headers: str
    signature: str
    stamp: str
    expires_s: int | None = None  #: of a presigned request


def verify(request: SignedRequest, access_keys: Mapping[str, str], *, service: str, now: datetime) -> Refusal | None:
    """None if one of the `access_keys` (secret by id) signed this very request for `service`, or why it is refused.

    Any region is accepted: a local server stands for whichever its callers use. `now` is aware, in UTC.
    """
    values = _joined(request.headers)
    claim = _claim(request, values)
    if isinstance(claim, Refusal):
        return claim
    try:
        signed_at = datetime.strptime(claim.stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{claim.stamp[:64]}'.")
    key_id, *scope = claim.credential.split("/")
    if len(scope) != 4:
        return _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{claim.credential[:128]}'"
        )
    if (refusal := _check_scope(scope, service, claim) or _check_headers(claim, values)) is not None:
        return refusal
    secret = access_keys.get(key_id)
    if secret is None or "x-amz-security-token" in values or "X-Amz-Security-Token" in request.query:
        return unauthenticated("UnrecognizedClientException", "The security token included in the request is invalid.")
    if (refusal := _check_time(claim, signed_at, now)) is not None:
        return refusal
    day, region = scope[0], scope[1]
    to_sign = _string_to_sign(request, claim, values)
    expected = hmac.new(signing_key(secret, day, region, service), to_sign.encode(), sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        return unauthenticated(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    return None


@functools.lru_cache(maxsize=64)
def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The key of a day (YYYYMMDD), region and service; remembered, since it changes once a day."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), sha256)
    return key


def _claim(request: SignedRequest, headers: Mapping[str, str]) -> _Claim | Refusal:
    authorization = headers.get("authorization")
    if authorization is not None:
        return _claim_in_header(authorization, headers)
    parameters = dict(_parameters(request.query))
    if "X-Amz-Signature" not in parameters and "X-Amz-Algorithm" not in parameters:
        return unauthenticated("MissingAuthenticationTokenException", "Missing Authentication Token")
    return _claim_in_query(parameters)


def _claim_in_header(authorization: str, headers: Mapping[str, str]) -> _Claim | Refusal:
    algorithm, _, rest = authorization.strip().partition(" ")
    given = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    stamp = headers.get("x-amz-date") or headers.get("date", "")
    missing = [f"Authorization header requires '{name}' parameter." for name in _IN_HEADER if not given.get(name)]
    if not stamp:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if algorithm != ALGORITHM:
        missing.insert(0, f"Unsupported AWS 'algorithm': '{algorithm[:64]}'.")
    if missing:
        return _incomplete(" ".join(missing))
    return _Claim(given["Credential"], given["SignedHeaders"], given["Signature"], stamp)


def _claim_in_query(parameters: Mapping[str, str]) -> _Claim | Refusal:
    missing = [name for name in _IN_QUERY if not parameters.get(name)]
    if missing:
        return _incomplete(" ".join(f"AWS query-string parameters must include '{name}'." for name in missing))
    algorithm, credential, signature, signed_headers, stamp, expires = (parameters[name] for name in _IN_QUERY)
    if algorithm != ALGORITHM:
        return _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:64]}'.")
    if not re.fullmatch("[0-9]{1,6}", expires) or int(expires) > _LONGEST_PRESIGNED_S:
        return _incomplete(f"X-Amz-Expires must be a number of seconds, at most {_LONGEST_PRESIGNED_S}")
    return _Claim(credential, signed_headers, signature, stamp, int(expires))


def _check_scope(scope: Sequence[str], service: str, claim: _Claim) -> Refusal | None:
    day, _, their_service, terminator = scope
    wrong = []
    if their_service != service:
        wrong.append(f"Credential should be scoped to correct service: '{service}'.")
    if terminator != "aws4_request":
        wrong.append("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if day != claim.stamp[:8]:
        wrong.append(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day[:16]}' "
            f"!= '{claim.stamp[:8]}', from '{claim.stamp}'."
        )
    return unauthenticated("InvalidSignatureException", " ".join(wrong)) if wrong else None


def _check_headers(claim: _Claim, headers: Mapping[str, str]) -> Refusal | None:
    """What decides how a request is understood must be signed, or somebody between could have added it."""
    signed = claim.signed_headers.split(";")
    needed = ["host", *(name for name in headers if name.startswith("x-amz-"))]
    if unsigned := [name for name in needed if name not in signed]:
        return unauthenticated(
            "InvalidSignatureException", f"These headers must be among the SignedHeaders: {', '.join(unsigned)}"
        )
    return None


def _check_time(claim: _Claim, signed_at: datetime, now: datetime) -> Refusal | None:
    shown = now.strftime(_STAMP)
    earliest, latest = now - SKEW, now + SKEW
    if signed_at > latest:
        message = f"{claim.stamp} is still later than {latest.strftime(_STAMP)} ({shown} + 5 min.)"
        return unauthenticated("InvalidSignatureException", f"Signature not yet current: {message}")
    if claim.expires_s is not None:
        end = signed_at + timedelta(seconds=claim.expires_s)
        if end < now:
            message = f"{end.strftime(_STAMP)} is now earlier than {shown}"
            return unauthenticated("InvalidSignatureException", f"Signature expired: {message}")
    elif signed_at < earliest:
        message = f"{claim.stamp} is now earlier than {earliest.strftime(_STAMP)} ({shown} - 5 min.)"
        return unauthenticated("InvalidSignatureException", f"Signature expired: {message}")
    return None


def _string_to_sign(request: SignedRequest, claim: _Claim, headers: Mapping[str, str]) -> str:
    signed = "".join(f"{name}:{headers.get(name, '')}\n" for name in claim.signed_headers.split(";"))
    # Every service but S3 signs the path encoded once more than it was sent.
    canonical = (
        f"{request.method}\n{quote(_normalized(request.path), safe='/~')}\n{_canonical_query(request.query)}\n"
        f"{signed}\n{claim.signed_headers}\n{sha256(request.body).hexdigest()}"
    )
    scope = claim.credential.partition("/")[2]
    return f"{ALGORITHM}\n{claim.stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"


def _normalized(path: str) -> str:
    """Without the segments that lead nowhere: `.`, `..` with what it takes back, and empty ones but the last."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    return f"/{'/'.join(kept)}{'/' if path.endswith('/') and kept else ''}"


def _canonical_query(query: str) -> str:
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in _parameters(query)
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _parameters(query: str) -> list[tuple[str, str]]:
    """Decoded pairs; a plus sign is one, as signers have it."""
    pieces = (piece.partition("=") for piece in query.split("&") if piece)
    return [(unquote(name), unquote(value)) for name, _, value in pieces]


def _joined(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Header values as they are signed: trimmed, inner spaces as one, repetitions joined by commas."""
    values: dict[str, str] = {}
    for name, value in headers:
        text = _SPACES.sub(" ", value.strip())
        values[name] = f"{values[name]},{text}" if name in values else text
    return values


def _incomplete(message: str) -> Refusal:
    return unauthenticated("IncompleteSignatureException", message)
