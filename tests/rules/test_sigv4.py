"""Signatures from the receiving side, against those that botocore makes."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.rules.invoke_errors import Refusal
from eventmap.rules.sigv4 import SignedRequest, verify

KEYS = {"AKIA": "secret", "AKIB": "other"}
PATH = "/2015-03-31/functions/orders/invocations"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


class At(SigV4Auth):
    """botocore's signer at an instant of ours, which it would take from the machine's clock."""

    def __init__(
        self, key: str, secret: str, at: datetime, *, token: str | None = None, service: str = "lambda"
    ) -> None:
        super().__init__(Credentials(key, secret, token), service, "eu-west-1")
        self._at = at

    def sign(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._at.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))


class QueryAt(SigV4QueryAuth):
    """The same for a presigned request."""

    def __init__(self, key: str, secret: str, at: datetime, *, expires: int = 60, token: str | None = None) -> None:
        super().__init__(Credentials(key, secret, token), "lambda", "eu-west-1", expires)
        self._at = at

    def sign(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self._at.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        canonical = self.canonical_request(request)
        self._inject_signature_to_request(request, self.signature(self.string_to_sign(request, canonical), request))


def signed(
    signer: At | QueryAt,
    *,
    path: str = PATH,
    query: str = "",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    method: str = "POST",
) -> SignedRequest:
    """The request as it reaches a server."""
    if isinstance(signer, QueryAt):
        body = b""  # botocore presigns none, but makes a query of it
    url = f"http://127.0.0.1:9000{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, headers=headers or {}, data=body)
    signer.sign(request)
    parts = urlsplit(request.url)
    lines = [("host", "127.0.0.1:9000"), *((name.lower(), value) for name, value in request.headers.items())]
    return SignedRequest(method, parts.path, parts.query, lines, body)


def changed(request: SignedRequest, **parts: Any) -> SignedRequest:
    fields = {name: getattr(request, name) for name in ("method", "path", "query", "headers", "body")}
    return SignedRequest(**(fields | parts))


def judged(request: SignedRequest, now: datetime = NOW) -> Refusal | None:
    return verify(request, KEYS, service="lambda", now=now)


def error(request: SignedRequest, now: datetime = NOW) -> str:
    answer = judged(request, now)
    assert answer is not None
    assert answer.status == 403
    return answer.error_type


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/../a",
        "/a/.",
        "/a/..",
        "/a/",
        "/a/%2E%2E/b",
        "/functions/./invocations",
    ],
)
def test_paths_are_signed_without_segments_that_lead_nowhere(path: str) -> None:
    """As botocore signs them; what is between slashes in encoded form is a name like any other."""
    assert judged(signed(At("AKIA", KEYS["AKIA"], NOW), path=path)) is None


names = st.text(string.ascii_letters + string.digits + "-_:$.", min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(
    name=names,
    qualifier=st.none() | names,
    body=st.binary(max_size=200),
    key=st.sampled_from(sorted(KEYS)),
    offset_s=st.integers(-300, 300),
    headers=st.dictionaries(
        st.sampled_from(["X-Amz-Invocation-Type", "X-Amz-Log-Type", "Content-Type", "X-Other"]),
        st.text(string.ascii_letters + "  /;=", max_size=20).map(lambda value: f"v{value}v"),
    ),
    is_presigned=st.booleans(),
)
def test_what_botocore_signs_is_accepted(
    name: str,
    qualifier: str | None,
    body: bytes,
    key: str,
    offset_s: int,
    headers: dict[str, str],
    is_presigned: bool,
) -> None:
    """Any name, query, header and body; in the header or in the query; with a clock up to five minutes off."""
    at = NOW + timedelta(seconds=offset_s)
    signer = QueryAt(key, KEYS[key], at, expires=600) if is_presigned else At(key, KEYS[key], at)
    request = signed(
        signer,
        path=f"/2015-03-31/functions/{quote(name, safe='')}/invocations",
        query="" if qualifier is None else urlencode({"Qualifier": qualifier}),
        body=body,
        headers=headers,
    )

    assert judged(request) is None


@pytest.mark.parametrize("signer", [At("AKIA", "secret", NOW), QueryAt("AKIA", "secret", NOW)], ids=["header", "query"])
@pytest.mark.parametrize(
    "parts",
    [
        {"method": "GET"},
        {"path": "/2015-03-31/functions/payments/invocations"},
        {"body": b'{"a":2}'},
        {"query": "Qualifier=live"},
        {"headers": [("host", "example.com")]},
    ],
    ids=lambda parts: next(iter(parts)),
)
def test_what_was_changed_on_the_way_is_refused(signer: At | QueryAt, parts: dict[str, Any]) -> None:
    """Method, path, body, query and host are all signed."""
    request = signed(signer)
    if "query" in parts:
        parts = {"query": f"{request.query}&Qualifier=live".lstrip("&")}
    if "headers" in parts:
        parts = {"headers": [*parts["headers"], *request.headers[1:]]}

    assert error(changed(request, **parts)) == "InvalidSignatureException"


def test_another_secret_is_refused() -> None:
    """In AWS' words, which do not tell what the signature should have been."""
    answer = judged(signed(At("AKIA", "other", NOW)))

    assert answer is not None
    assert answer.error_type == "InvalidSignatureException"
    assert answer.message.startswith("The request signature we calculated does not match the signature you provided.")


def test_an_unknown_key_or_a_session_token_is_refused() -> None:
    """Neither is among the keys there are."""
    assert error(signed(At("AKIX", "secret", NOW))) == "UnrecognizedClientException"
    assert error(signed(At("AKIA", "secret", NOW, token="t"))) == "UnrecognizedClientException"
    assert error(signed(QueryAt("AKIA", "secret", NOW, token="t"))) == "UnrecognizedClientException"


def test_an_unsigned_request_is_refused() -> None:
    """There is nothing to look at."""
    assert error(SignedRequest("POST", PATH, "", [("host", "h")], b"")) == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(("minutes", "words"), [(-5.1, "Signature expired: "), (5.1, "Signature not yet current: ")])
def test_a_clock_that_is_off_by_more_than_five_minutes_is_told(minutes: float, words: str) -> None:
    """With both times, by which clients correct themselves."""
    answer = judged(signed(At("AKIA", "secret", NOW + timedelta(minutes=minutes))))

    assert answer is not None
    assert (answer.error_type, answer.message.startswith(words)) == ("InvalidSignatureException", True)
    assert "20261123T120000Z" in answer.message


def test_a_presigned_request_ends_when_it_says() -> None:
    """Its own time counts, not the five minutes; a week at most."""
    request = signed(QueryAt("AKIA", "secret", NOW, expires=3_600))

    assert judged(request, NOW + timedelta(minutes=59)) is None
    assert error(request, NOW + timedelta(minutes=61)) == "InvalidSignatureException"
    assert error(request, NOW - timedelta(minutes=6)) == "InvalidSignatureException"
    assert error(signed(QueryAt("AKIA", "secret", NOW, expires=700_000))) == "IncompleteSignatureException"


def test_a_signature_for_another_service_or_day_is_refused() -> None:
    """AWS' words for both."""
    assert "correct service: 'lambda'" in str(judged(signed(At("AKIA", "secret", NOW, service="sqs"))))
    request = signed(At("AKIA", "secret", NOW))
    lines = [(name, value.replace("/20261123/", "/20261122/")) for name, value in request.headers]
    assert "Date in Credential scope" in str(judged(changed(request, headers=lines)))


def test_what_decides_how_a_request_is_understood_must_be_signed() -> None:
    """A header of Lambda's own that was added on the way."""
    request = signed(At("AKIA", "secret", NOW))

    added = changed(request, headers=[*request.headers, ("x-amz-invocation-type", "Event")])

    assert "x-amz-invocation-type" in str(judged(added))


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("Bearer x", "Authorization header requires 'Credential' parameter."),
        ("", "Authorization header requires 'Signature' parameter."),
        ("AWS4-HMAC-SHA256 Credential=a, Signature=b", "requires 'SignedHeaders' parameter."),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=b", "exactly 5 slash-delimited elements"),
        ("AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=b", "Unsupported AWS 'algorithm'"),
        ("AWS4-HMAC-SHA256 ,,,===,", "requires 'Credential' parameter."),
    ],
)
def test_a_header_that_is_incomplete_says_what_is_missing(authorization: str, words: str) -> None:
    """AWS' words; nothing of it is looked at further."""
    lines = [("host", "h"), ("x-amz-date", "20261123T120000Z"), ("authorization", authorization)]

    answer = judged(SignedRequest("POST", PATH, "", lines, b""))

    assert answer is not None
    assert answer.error_type == "IncompleteSignatureException"
    assert words in answer.message


@pytest.mark.parametrize("stamp", ["", "yesterday", "20261323T120000Z"])
def test_a_date_that_is_none_is_told(stamp: str) -> None:
    """Missing, or of another form."""
    lines = [
        ("host", "h"),
        ("x-amz-date", stamp),
        ("authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/lambda/aws4_request, SignedHeaders=host, Signature=b"),
    ]

    assert error(SignedRequest("POST", PATH, "", lines, b"")) == "IncompleteSignatureException"


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Signature=a",
        "X-Amz-Algorithm=X&X-Amz-Credential=a&X-Amz-Signature=a&X-Amz-SignedHeaders=host&X-Amz-Date=d&X-Amz-Expires=5",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=a&X-Amz-SignedHeaders=host"
        "&X-Amz-Date=d&X-Amz-Expires=-1",
    ],
)
def test_a_query_that_is_incomplete_is_refused(query: str) -> None:
    """Each part is needed, and of its form."""
    assert error(SignedRequest("POST", PATH, query, [("host", "h")], b"")) == "IncompleteSignatureException"


@given(
    authorization=st.text(max_size=80) | st.text(max_size=40).map(lambda text: f"AWS4-HMAC-SHA256 {text}"),
    query=st.text(max_size=60),
    stamp=st.text(max_size=20),
)
def test_nothing_that_is_sent_makes_the_check_fail_itself(authorization: str, query: str, stamp: str) -> None:
    """Every request is judged: refused, whatever it says."""
    lines = [("host", "h"), ("x-amz-date", stamp), ("authorization", authorization)]

    assert judged(SignedRequest("POST", PATH, query, lines, b"")) is not None
    assert judged(SignedRequest("POST", PATH, query, lines[:1], b"")) is not None
