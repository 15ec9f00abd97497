"""Requests a web browser was led to: a page the user looks at must not reach a server on the user's own machine.

Such a page either says where it comes from (Origin), or got at our address through a name of its own (DNS rebinding),
which is then the Host.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping

from eventmap.rules.invoke_errors import Refusal, foreign

_LONGEST_HOST = 300
"""A DNS name and a port are shorter; what is remembered below is bounded by it."""


def check(headers: Mapping[str, str], public_hosts: frozenset[str]) -> Refusal | None:
    """None = it comes from a program that knows this server."""
    if "origin" in headers:
        return foreign("Requests of web pages are not accepted; call from a program, without an Origin header")
    return check_host(headers.get("host", ""), public_hosts)


def check_host(host: str, public_hosts: frozenset[str]) -> Refusal | None:
    """The same for the Host alone, where web pages are welcome."""
    if len(host) > _LONGEST_HOST or not is_expected(host, public_hosts):
        return foreign(
            f"Host {host[:100]!r} is not this server's: use an IP address or localhost, or start it with its public URL"
        )
    return None


@functools.lru_cache(maxsize=256)
def is_expected(host: str, public_hosts: frozenset[str]) -> bool:
    """Whether a Host header names an address, `localhost` or one of `public_hosts`; the port is not looked at."""
    name = host.lower()
    if name.startswith("["):
        name, closed, rest = name[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return False
    else:
        name = name.partition(":")[0]
    if name == "localhost" or name in public_hosts:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
