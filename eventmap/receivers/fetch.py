"""Fetching what SNS points to: its signing certificates, and its answer to a confirmation. Never another's URL."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from eventmap.errors import SourceError, TransientSourceError

if TYPE_CHECKING:
    import aiohttp

Fetch = Callable[[str], Awaitable[bytes]]
"""The content behind an https URL whose host has been checked. Raises: SourceError, TransientSourceError."""

DEADLINE_S: Final = 5.0
LIMIT_BYTES: Final = 64 * 1024


async def fetch_https(url: str, *, tls: ssl.SSLContext | None = None) -> bytes:
    """GET it: one attempt, within five seconds, 64 KiB at most, no redirect followed, no certificate waived.

    `tls` None trusts whom this machine trusts.
    Raises: TransientSourceError if it may be tried again; SourceError.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    shown = url.partition("?")[0]  # what follows may be a token
    try:
        async with (
            # trust_env: a proxy that this machine needs to reach AWS.
            aiohttp.ClientSession(
                timeout=timeout, trust_env=True, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as http,
            http.get(
                url,
                ssl=True if tls is None else tls,
                allow_redirects=False,  # where it leads has not been checked
                headers={"Accept-Encoding": "identity", "User-Agent": "eventmap"},
            ) as response,
        ):
            if response.status != 200:
                raise _refused(shown, response.status)
            content = await _limited(response.content)
    except TimeoutError as error:
        raise TransientSourceError(f"{shown} did not answer within {DEADLINE_S:.0f} s", code="Timeout") from error
    except (aiohttp.ClientError, OSError) as error:
        said = f"{shown} could not be fetched: {type(error).__name__}"
        raise TransientSourceError(said, code="ConnectionLost") from error
    if content is None:
        raise SourceError(f"{shown} is longer than {LIMIT_BYTES} bytes", code="ResponseTooLarge")
    return content


def _refused(shown: str, status: int) -> SourceError:
    said = f"{shown} was answered with HTTP {status}"
    passing = status == 429 or status >= 500
    return TransientSourceError(said, code=str(status)) if passing else SourceError(said, code=str(status))


async def _limited(content: aiohttp.StreamReader) -> bytes | None:
    """None if it is too long."""
    read = bytearray()
    async for chunk in content.iter_any():
        read += chunk
        if len(read) > LIMIT_BYTES:
            return None
    return bytes(read)
