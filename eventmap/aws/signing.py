"""AWS Signature Version 4 for one service in one region, as lean as the hot calls need it.

Every call is a POST of a known path without a query string, so the canonical request has a fixed shape and the signing
key changes once a day. Why not the client library's signer: docs/decisions/0002-lean-wire.md.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote

from eventmap.rules.sigv4 import ALGORITHM, signing_key


@dataclass(frozen=True, slots=True)
class Credentials:
    """One set of keys, good for a signature now."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)  #: only temporary credentials have one


class Signer:
    """Signs POST requests to one host and path. `path` is percent-encoded as it goes over the wire."""

    def __init__(self, *, host: str, path: str, region: str, service: str) -> None:
        self._scope_tail = f"{region}/{service}/aws4_request"
        self._region = region
        self._service = service
        self._host = host
        # Every service but S3 signs the path encoded once more than it is sent.
        self._request_head = f"POST\n{quote(path, safe='/~')}\n\ncontent-type:"

    def headers(
        self, credentials: Credentials, now: datetime, target: str, content_type: str, body: bytes
    ) -> dict[str, str]:
        """The headers that make `body` a signed request; `now` is an aware datetime in UTC."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        day = stamp[:8]
        headers = {"Host": self._host, "Content-Type": content_type, "X-Amz-Date": stamp, "X-Amz-Target": target}
        signed = "content-type;host;x-amz-date;x-amz-target"
        token_line = ""
        if credentials.token is not None:
            headers["X-Amz-Security-Token"] = credentials.token
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
            token_line = f"x-amz-security-token:{credentials.token}\n"
        canonical = (
            f"{self._request_head}{content_type}\nhost:{self._host}\nx-amz-date:{stamp}\n{token_line}"
            f"x-amz-target:{target}\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._scope_tail}"
        to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        key = signing_key(credentials.secret_key, day, self._region, self._service)
        signature = hmac.new(key, to_sign.encode(), sha256).hexdigest()
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        )
        return headers
