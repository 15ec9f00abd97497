"""The server of a run: its settings as the command line, the file and the environment say them."""

from __future__ import annotations

import importlib.util
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from eventmap.cli.failure import Misuse
from eventmap.errors import ConfigurationError

if TYPE_CHECKING:
    from eventmap.cli.run_options import RunOptions
    from eventmap.service.settings import HttpApiSettings, HttpSettings

KEY_VARIABLES: Final = ("EVENTMAP_ACCESS_KEY_ID", "EVENTMAP_SECRET_ACCESS_KEY")
LOOPBACK: Final = "127.0.0.1"
_NEEDED: Final = ("starlette", "uvicorn", "httptools", "cryptography")


def take_access_keys(environment: MutableMapping[str, str]) -> dict[str, str]:
    """The key of the environment by its id, which is taken out of it: handlers have no business with it.

    Raises: Misuse if one of the two variables is missing.
    """
    key_id, secret = (environment.pop(name, "") for name in KEY_VARIABLES)
    if bool(key_id) != bool(secret):
        raise Misuse(f"{' and '.join(KEY_VARIABLES)} belong together, and one of them is not set")
    return {key_id: secret} if key_id else {}


def http_settings(options: RunOptions) -> HttpSettings | None:
    """The server's; None = there is none. Raises: Misuse; ConfigurationError if what it needs is not installed."""
    if options.http is None:
        return None
    _check_installed()
    _check_public_url(options.public_url)
    from eventmap.service.settings import HttpSettings

    given = {"host": options.host} if options.host is not None else {}
    try:
        return HttpSettings(
            **given,
            port=options.http,
            public_url=options.public_url,
            access_keys=options.access_keys,
            allow_anonymous=options.allow_anonymous,
        )
    except ConfigurationError as error:
        raise Misuse(
            f"{error}; keys are in [http] access_keys of --config, or in {' and '.join(KEY_VARIABLES)}; "
            "--allow-anonymous asks nobody"
        ) from None


def http_api_settings(options: RunOptions) -> HttpApiSettings | None:
    """The listener of HTTP routes; None = none is asked for. Raises: ConfigurationError if something is missing."""
    if options.http_api is None:
        return None
    _check_installed()
    from eventmap.service.settings import HttpApiSettings

    _check_public_url(options.public_url)
    public = urlsplit(options.public_url or "").hostname
    hosts = frozenset() if public is None else frozenset({public.lower()})
    return HttpApiSettings(host=options.host or LOOPBACK, port=options.http_api, public_hosts=hosts)


def schedule_place(options: RunOptions) -> tuple[str, Path | None]:
    """Where it is noted how far schedules are done, and in which file if it is one; None = the usual one."""
    state = options.schedule_state
    if state is None:
        return ("memory" if options.local else "sqlite"), None
    return (state, None) if state.startswith("dynamodb:") else ("sqlite", Path(state))


def event_place(options: RunOptions) -> tuple[str, Path | None]:
    """Where a service keeps accepted events, and in which file if they are in one; None = the usual one.

    Events of an emulator's topics are not for the next run, which may be at AWS.
    """
    if options.events is None:
        return "memory" if options.local else "sqlite", None
    if options.events.startswith("sqs:"):
        return options.events, None
    return "sqlite", Path(options.events)


def _check_installed() -> None:
    if missing := [name for name in _NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigurationError(
            f"to serve needs {', '.join(missing)}, which is not installed: pip install 'eventmap[server]'"
        )


def _check_public_url(url: str | None) -> None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise Misuse(f"--public-url {url!r} is not of the form http(s)://HOST[:PORT][/PATH]")
