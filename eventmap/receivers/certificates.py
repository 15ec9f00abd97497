"""Certificates: the certificates that SNS signs with, fetched once and kept while they are valid (SNS-42).

request ──▶ URL allowed? ──▶ kept and valid? ──▶ failed a moment ago? ──▶ being fetched? wait ──▶ fetch
               │ no: Untrusted     │ yes                │ yes: the same answer
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from eventmap.clock import elapsed_s, utc_now
from eventmap.errors import SourceError, TransientSourceError
from eventmap.receivers.fetch import Fetch
from eventmap.rules.sns_message import certificate_url_problem
from eventmap.rules.sns_signature import is_valid_at, read_certificate

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

KEPT: Final = 16  # SNS has one per region at a time
FAILURES_KEPT: Final = 256
FAILURE_KEPT_S: Final = 5.0
FETCHES_AT_ONCE: Final = 4  # so that strangers who make URLs up cannot make us ask for all of them at once


@dataclass(frozen=True, slots=True)
class Trusted:
    """A certificate from SNS, valid now."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Untrusted:
    """There is none to trust behind that URL, today or ever."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """It could not be fetched this time."""

    reason: str


Answer = Trusted | Untrusted | Unreachable


class Certificates:
    """Shared by all receivers of a service; may be asked by many tasks of one loop."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: OrderedDict[str, Certificate] = OrderedDict()  # the longest unused first
        self._failures: OrderedDict[str, tuple[float, Untrusted | Unreachable]] = OrderedDict()  # the oldest first
        self._fetching: dict[str, anyio.Event] = {}
        self._permits = anyio.Semaphore(FETCHES_AT_ONCE)

    async def at(self, url: str) -> Answer:
        """The certificate behind a `SigningCertURL`; nothing is fetched from where SNS has none (SNS-37)."""
        if problem := certificate_url_problem(url):
            return Untrusted(f"no certificate is fetched from there: {problem}")
        while True:
            if (known := self._known(url)) is not None:
                return known
            if (under_way := self._fetching.get(url)) is None:
                return await self._fetched(url)
            await under_way.wait()  # and look again: who fetched may have been cancelled

    def _known(self, url: str) -> Answer | None:
        certificate = self._kept.get(url)
        if certificate is not None:
            if is_valid_at(certificate, utc_now()):
                self._kept.move_to_end(url)
                return Trusted(certificate)
            del self._kept[url]
        failed_at, failure = self._failures.get(url, (0.0, None))
        if failure is not None and elapsed_s() < failed_at + FAILURE_KEPT_S:
            return failure
        return None

    async def _fetched(self, url: str) -> Answer:
        done = self._fetching[url] = anyio.Event()
        try:
            async with self._permits:
                answer = await self._asked(url)
            if isinstance(answer, Trusted):
                self._kept[url] = answer.certificate
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            else:
                self._failures.pop(url, None)
                self._failures[url] = (elapsed_s(), answer)
                if len(self._failures) > FAILURES_KEPT:
                    self._failures.popitem(last=False)
        finally:
            del self._fetching[url]
            done.set()
        return answer

    async def _asked(self, url: str) -> Answer:
        from cryptography.x509 import InvalidVersion

        try:
            content = await self._fetch(url)
        except TransientSourceError as error:
            return Unreachable(str(error))
        except SourceError as error:
            return Untrusted(str(error))
        try:
            certificate = read_certificate(content)
        except (ValueError, InvalidVersion) as error:
            return Untrusted(f"{url} holds no certificate of SNS: {error}")
        if not is_valid_at(certificate, utc_now()):
            return Untrusted(
                f"the certificate at {url} is valid from {certificate.not_valid_before_utc:%Y-%m-%d} "
                f"to {certificate.not_valid_after_utc:%Y-%m-%d} only"
            )
        return Trusted(certificate)
