"""How long seeding insists: sources that are busy or not quite up get a few seconds."""

from __future__ import annotations

from typing import Final

import tenacity

from eventmap.errors import TransientSourceError

ATTEMPTS: Final = 6


def patiently() -> tenacity.AsyncRetrying:
    """Up to six attempts while they raise TransientSourceError; the last one's is raised."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(TransientSourceError),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
