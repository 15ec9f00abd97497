"""idempotent: the decorator, and one call of a `def` handler under it."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from eventmap.clock import wall_time_s
from eventmap.errors import ClaimLost, EventmapError
from eventmap.idempotency.ports import Store
from eventmap.idempotency.result import from_text, to_text
from eventmap.idempotency.terms import Terms, Ticket, report_unreleased, scope_of
from eventmap.rules.idempotency import Answered, Won
from eventmap.rules.idempotency_key import KeySource

Handler = Callable[[Any, Any], Any]
H = TypeVar("H", bound=Handler)


def idempotent(
    store: Store,
    /,
    *,
    key: KeySource | None = None,
    expires_after_s: float = 3600.0,
    claim_s: float = 900.0,
    wait_s: float = 0.0,
    checksum: KeySource | None = None,
    scope: str | None = None,
) -> Callable[[H], H]:
    """Let `def handler(event, context)`, or `async def`, run once per key within `expires_after_s` of its end; further
    calls are answered the result of that run. Below `@each_record` the same for each record.

    - `key`: a function of the event or record, or a dotted path (`body.order.id`; text on the way is read as JSON).
      None = what its source delivers it under again, or an event as a whole (`rules.idempotency_key`).
    - `claim_s`: how long a call that dies keeps the key, where there is no context to ask for its deadline.
    - `wait_s`: how long a call waits for another's result, at most until its own deadline, before AlreadyInProgress.
    - `checksum`: what has to be equal under one key, as for `key`; or else KeyReused.
    - `scope`: tells this handler's keys from others' in the store; None = its module and name. The function's name is
      put before it, where the context has one.

    The first call, too, gets its result as JSON gives it. A handler that raises, or is cancelled, gives the key back.
    A call raises: KeyNotFound, KeyReused, AlreadyInProgress before the handler; ClaimLost, ResultNotStorable after it;
    StateError and TransientSourceError of the store; and what the handler, or a function given here, raises.
    """

    def wrap(handler: H) -> H:
        terms = Terms(
            scope=scope_of(handler, scope),
            key=key,
            expires_after_s=expires_after_s,
            claim_s=claim_s,
            wait_s=wait_s,
            checksum=checksum,
        )
        return cast(H, _asynchronous(store, terms, handler) if _is_async(handler) else _blocking(store, terms, handler))

    return wrap


def _blocking(store: Store, terms: Terms, handler: Handler) -> Handler:
    @functools.wraps(handler)
    def handle(event: Any, context: Any = None) -> Any:
        ticket = Ticket(terms, event, context)
        answer = _turn(store, ticket)
        if answer is None:
            with _released_on_error(store, ticket):
                answer = to_text(handler(event, context))
                now = wall_time_s()
                if not store.commit(ticket.key, ticket.done(now, answer)):
                    raise ClaimLost(ticket.key)
        return from_text(answer)

    return handle


def _asynchronous(store: Store, terms: Terms, handler: Handler) -> Handler:
    from eventmap.idempotency.asynchronous import run_once

    @functools.wraps(handler)
    async def handle(event: Any, context: Any = None) -> Any:
        return await run_once(store, Ticket(terms, event, context), lambda: handler(event, context))

    return handle


def _turn(store: Store, ticket: Ticket) -> str | None:
    """The result of an earlier run; None = the key is ours to run."""
    while True:
        now = wall_time_s()
        claim = ticket.claim(now)
        # A claim whose answer was lost may stand.
        with _released_on_error(store, ticket):
            standing = store.claim(ticket.key, claim, now)
        match ticket.turn(standing, claim, now):
            case Won():
                return None
            case Answered(result):
                return result
            case pause:
                threading.Event().wait(pause)  # nothing sets it: the other call may be on another machine


@contextmanager
def _released_on_error(store: Store, ticket: Ticket) -> Iterator[None]:
    try:
        yield
    # Whatever it is, and SystemExit too: the next call need not wait for the claim to expire.
    except BaseException:
        try:
            store.release(ticket.key, ticket.token)
        except EventmapError as error:
            report_unreleased(ticket, error)
        raise


def _is_async(handler: object) -> bool:
    """Whether calling it gives a coroutine; an object with an async `__call__` does, too."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
