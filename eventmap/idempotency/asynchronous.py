"""One call of an `async def` handler: the store's calls block, so they are made in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import anyio.to_thread

from eventmap.clock import wall_time_s
from eventmap.errors import ClaimLost, EventmapError
from eventmap.idempotency.ports import Store
from eventmap.idempotency.result import from_text, to_text
from eventmap.idempotency.terms import Ticket, report_unreleased
from eventmap.rules.idempotency import Answered, Won

RELEASE_WITHIN_S: Final = 5.0
"""How long a call that was cancelled may take to give its key back, seconds."""


async def run_once(store: Store, ticket: Ticket, run: Callable[[], Awaitable[object]]) -> Any:
    """The result of `run`, or of an earlier one. Raises: as `idempotent` says."""
    answer = await _turn(store, ticket)
    if answer is None:
        async with _released_on_error(store, ticket):
            answer = to_text(await run())
            done = ticket.done(wall_time_s(), answer)
            if not await anyio.to_thread.run_sync(store.commit, ticket.key, done):
                raise ClaimLost(ticket.key)
    return from_text(answer)


async def _turn(store: Store, ticket: Ticket) -> str | None:
    """The result of an earlier run; None = the key is ours to run."""
    while True:
        now = wall_time_s()
        claim = ticket.claim(now)
        # A claim whose answer was lost, or not waited for, may stand.
        async with _released_on_error(store, ticket):
            standing = await anyio.to_thread.run_sync(store.claim, ticket.key, claim, now)
        match ticket.turn(standing, claim, now):
            case Won():
                return None
            case Answered(result):
                return result
            case pause:
                await anyio.sleep(pause)


@asynccontextmanager
async def _released_on_error(store: Store, ticket: Ticket) -> AsyncIterator[None]:
    try:
        yield
    # Whatever it is, a cancellation too: the next call need not wait for the claim to expire.
    except BaseException:
        with anyio.move_on_after(RELEASE_WITHIN_S, shield=True):
            try:
                await anyio.to_thread.run_sync(store.release, ticket.key, ticket.token, abandon_on_cancel=True)
            except EventmapError as error:
                report_unreleased(ticket, error)
        raise
