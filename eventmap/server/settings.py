"""What the server lets in, and how patient it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Bounds on what a client may make us hold or wait for."""

    head_timeout_s: float = 10.0  #: until the headers of a request are complete
    head_limit_bytes: int = 65_536  #: request line and headers
    header_limit: int = 128  #: lines
    body_timeout_s: float = 20.0  #: until the body is
    keep_alive_s: int = 20  #: how long a connection may stay open between requests, whole seconds
    connection_limit: int = 1_000
    pipeline_limit: int = 16  #: requests sent on one connection before the first of them was answered


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Everything has a default: anybody who reaches the port of a machine's own may call."""

    access_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets by access key id: callers of the API must sign with one; {} = nobody is asked to."""

    public_hosts: frozenset[str] = frozenset()
    """Names, in lower case and without port, under which this server is reached, besides `localhost` and addresses."""

    region: str = "us-east-1"
    account_id: str = "000000000000"
    """Region and account of a function that does not exist, for the answer that says so (INV-16)."""

    limits: ServerLimits = field(default_factory=ServerLimits)
