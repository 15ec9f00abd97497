"""Whose an endpoint is: this machine's, AWS', or someone else's."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


def is_loopback(endpoint_url: str) -> bool:
    """Whether the endpoint is on this machine, so that made-up credentials go nowhere."""
    host = urlsplit(endpoint_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_aws(endpoint_url: str) -> bool:
    """Whether the endpoint is one of AWS' own; False for every server that speaks for it."""
    return (urlsplit(endpoint_url).hostname or "").endswith(_AWS_DOMAINS)
