"""The tokens by which endpoints confirm subscriptions to the in-memory SNS (SNS-23..27)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from eventmap.errors import SourceError
from eventmap.testing.sns_topic import Subscription, invalid
from eventmap.testing.sqs_clock import QueueClock

TOKEN_LIFETIME_S: Final = 2 * 86_400.0


@dataclass(frozen=True, slots=True)
class _Token:
    subscription: Subscription
    expires_at: float
    restores: bool


class Tokens:
    """Every token that was sent; each is good for two days, as often as one likes."""

    def __init__(self, clock: QueueClock, dice: random.Random) -> None:
        self._clock = clock
        self._dice = dice
        self._tokens: dict[str, _Token] = {}

    def issue(self, subscription: Subscription, *, restores: bool) -> str:
        """`restores`: it is sent at the end of a subscription, and takes that end back."""
        token = f"{self._dice.getrandbits(1024):0256x}"
        self._tokens[token] = _Token(subscription, self._clock.now_s() + TOKEN_LIFETIME_S, restores)
        return token

    def redeemed(self, topic_arn: str, token: str) -> Subscription:
        """The subscription it is for, whichever topic is named beside it, as long as one is (SNS-25).

        Raises: SourceError, code `InvalidParameter` for a token that is unknown or has expired, `NotFound` for one
        whose subscription has been removed.
        """
        if not topic_arn.startswith("arn:aws:sns:"):
            raise invalid("Topic")
        known = self._tokens.get(token)
        if known is None or known.expires_at <= self._clock.now_s():
            raise invalid("Token")
        if known.subscription.is_removed and not known.restores:
            raise SourceError("Subscription does not exist", code="NotFound")
        return known.subscription


def answer_of(action: str, content: str) -> bytes:
    """XML as SNS answers a visit of one of its URLs (SNS-24)."""
    space = "http://sns.amazonaws.com/doc/2010-03-31/"
    return f'<{action}Response xmlns="{space}"><{action}Result>{content}</{action}Result></{action}Response>'.encode()
