from __future__ import annotations

import string
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from eventmap.aws.signing import Credentials, Signer

words = st.text(string.ascii_letters + string.digits + "+/=", min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(
    access_key=words,
    secret_key=words,
    token=st.none() | words,
    host=st.sampled_from(["sqs.eu-west-1.amazonaws.com", "127.0.0.1:4566", "[::1]:9324", "localhost"]),
    path=st.sampled_from(["/", "/sqs/", "/a%20b"]),
    region=st.sampled_from(["us-east-1", "eu-west-1", "cn-north-1"]),
    at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)),  # noqa: DTZ001
    body=st.binary(max_size=300),
)
def test_a_signature_is_the_one_botocore_makes(
    access_key: str,
    secret_key: str,
    token: str | None,
    host: str,
    path: str,
    region: str,
    at: datetime,
    body: bytes,
) -> None:
    """For any request of ours the Authorization header carries the signature of the AWS client library."""
    signer = Signer(host=host, path=path, region=region, service="sqs")

    headers = signer.headers(
        Credentials(access_key, secret_key, token), at.replace(tzinfo=UTC), "AmazonSQS.X", "application/json", body
    )

    signed = {name: value for name, value in headers.items() if name not in ("Host", "Authorization")}
    request = AWSRequest("POST", f"http://{host}{path}", headers=signed, data=body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    judge = SigV4Auth(BotocoreCredentials(access_key, secret_key, token), "sqs", region)
    signature = judge.signature(judge.string_to_sign(request, judge.canonical_request(request)), request)
    assert headers["Authorization"].endswith(f", Signature={signature}")
    assert headers["Authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={judge.scope(request)}, ")


def test_a_new_day_and_new_keys_get_a_new_signing_key() -> None:
    """The cached signing key is used neither on another day nor for another secret."""
    signer = Signer(host="h", path="/", region="us-east-1", service="sqs")
    first, second = Credentials("a", "one"), Credentials("a", "two")
    monday, tuesday = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)

    answers = [
        signer.headers(keys, at, "T", "c", b"")["Authorization"]
        for keys, at in [(first, monday), (second, monday), (first, tuesday), (first, monday)]
    ]

    assert len(set(answers)) == 3
    assert answers[0] == answers[3]


def test_secrets_do_not_show_in_the_representation_of_credentials() -> None:
    """Neither the secret key nor the token is in repr(), which may reach a log."""
    assert repr(Credentials("AKIA", "hidden", "hidden")) == "Credentials(access_key='AKIA')"
