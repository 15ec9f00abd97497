"""Fetching from SNS: carefully, whoever answers."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path

import pytest

from eventmap.errors import SourceError, TransientSourceError
from eventmap.receivers.fetch import LIMIT_BYTES, fetch_https
from tests.aws.hostile import Answer, endless, http, reset

from .tls import certified, https_server


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certified(tmp_path)


async def fetched(answer: Answer, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> bytes:
    server, client = contexts
    async with https_server(server, answer) as url:
        return await fetch_https(url, tls=client)


async def test_sns_42_what_a_trusted_server_has_is_fetched(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Up to the limit, byte for byte; nothing is unpacked."""
    packed = gzip.compress(b"x" * 1_000_000)

    assert await fetched(http(200, b"x" * LIMIT_BYTES), contexts) == b"x" * LIMIT_BYTES
    assert await fetched(http(200, packed, "Content-Encoding: gzip"), contexts) == packed


async def test_sns_42_a_certificate_that_nobody_vouches_for_is_not_waived(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """Only this machine's authorities are trusted, and the address must be the certificate's."""
    server, _ = contexts
    async with https_server(server, http(200, b"x")) as url:
        with pytest.raises(TransientSourceError, match=r"127\.0\.0\.1"):
            await fetch_https(url)
        with pytest.raises(TransientSourceError):
            await fetch_https(url.replace("127.0.0.1", "localhost"), tls=contexts[1])


@pytest.mark.parametrize("status", [301, 302, 307, 400, 403, 404])
async def test_sns_42_a_redirect_is_not_followed(status: int, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Nor is anything else but 200 an answer, today or tomorrow."""
    answer = http(status, b"", "Location: https://169.254.169.254/latest/meta-data")

    with pytest.raises(SourceError, match=f"HTTP {status}") as refused:
        await fetched(answer, contexts)

    assert not isinstance(refused.value, TransientSourceError)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("answer", [http(429, b""), http(500, b""), http(503, b""), reset])
async def test_sns_42_a_server_that_is_busy_may_be_asked_again(
    answer: Answer, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """A bad moment is not a forgery."""
    with pytest.raises(TransientSourceError) as failed:
        await fetched(answer, contexts)

    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("answer", [http(200, b"x" * (LIMIT_BYTES + 1)), endless])
async def test_sns_42_an_answer_that_does_not_end_is_given_up(
    answer: Answer, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """At 64 KiB, whatever length was announced."""
    with pytest.raises(SourceError, match="longer than 65536 bytes"):
        await fetched(answer, contexts)
