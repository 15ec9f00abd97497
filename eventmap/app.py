"""App: what a user declares — functions and the queues they are mapped to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from eventmap.errors import ConfigurationError, InvalidParameterValue
from eventmap.function import Function, Handler, Isolation
from eventmap.mapping import EventSourceMapping, mapping_of
from eventmap.records import RESPONSE_TYPES_MARK

if TYPE_CHECKING:
    from eventmap.runtime.report import InvocationLog
    from eventmap.service import Running
    from eventmap.sources.sqs import QueueApi

H = TypeVar("H", bound=Handler)

_FUNCTION_SETTINGS = {field.name for field in fields(Function)} - {"handler"}


class App:
    """Functions and their event source mappings, declared with decorators or added as plain values."""

    def __init__(self) -> None:
        self._handlers: dict[Handler, dict[str, Any]] = {}
        self._functions: list[Function] = []
        self._mappings: list[tuple[Handler | str, dict[str, Any] | EventSourceMapping]] = []

    def function(self, **settings: Any) -> Callable[[H], H]:
        """Give a handler its function settings: `@app.function(timeout=30)`, above or below `@app.sqs(…)`.

        `settings`: any field of `Function` but `handler`. Raises: InvalidParameterValue for any other.
        """
        for name in settings:
            if name not in _FUNCTION_SETTINGS:
                raise InvalidParameterValue(
                    f"{name} is not a setting of a function; known are {', '.join(sorted(_FUNCTION_SETTINGS))}"
                )

        def declare(handler: H) -> H:
            self._handlers.setdefault(handler, {}).update(settings)
            self._check(handler)
            return handler

        return declare

    def sqs(self, queue: str, /, **settings: Any) -> Callable[[H], H]:
        """Map a queue, by name, URL or ARN, to the decorated handler, which is returned unchanged.

        `settings`: any field of `EventSourceMapping` but `event_source_arn`; `function_name` names the function.
        Raises: InvalidParameterValue in AWS' words.
        """
        for name in settings:
            if name in _FUNCTION_SETTINGS and name != "function_name":
                raise InvalidParameterValue(f"{name} is a setting of the function: write @app.function({name}=…)")
        mapping_of({"event_source_arn": queue, "function_name": "checked-later", **settings})

        def declare(handler: H) -> H:
            declared = self._handlers.setdefault(handler, {})
            if "function_name" in settings:
                declared["function_name"] = settings["function_name"]
            self._check(handler)
            self._mappings.append((handler, {"event_source_arn": queue, **_response_types(handler), **settings}))
            return handler

        return declare

    def add(self, function: Function, *mappings: EventSourceMapping) -> None:
        """Add plain values. Raises: ConfigurationError if a mapping names another function."""
        for mapping in mappings:
            if mapping.function_name != function.function_name:
                raise ConfigurationError(
                    f"mapping of {mapping.event_source_arn!r} is for function {mapping.function_name!r}, "
                    f"not {function.function_name!r}"
                )
        self._functions.append(function)
        self._mappings.extend((function.function_name, mapping) for mapping in mappings)

    def functions(self, *, isolation: Isolation = "inline", **overrides: Any) -> tuple[Function, ...]:
        """What was declared. `isolation` is for functions that do not name one; `overrides` replace any other field."""
        declared = [
            _function(handler, {"isolation": isolation, **settings, **overrides})
            for handler, settings in self._handlers.items()
        ]
        return (*declared, *self._functions)

    def mappings(self) -> tuple[EventSourceMapping, ...]:
        """What was declared, in that order."""
        return tuple(
            mapping
            if isinstance(mapping, EventSourceMapping)
            else mapping_of({**mapping, "function_name": self._name_of(handler)})
            for handler, mapping in self._mappings
        )

    @asynccontextmanager
    async def running(
        self,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        queue_api: QueueApi | None = None,
        log: InvocationLog | None = None,
        drain_budget_s: float | None = None,
    ) -> AsyncIterator[Running]:
        """Poll and invoke for the length of the block, then drain. Takes over no signal handler and no logging.

        The three AWS settings default to what the AWS environment variables and config files say. `queue_api` replaces
        AWS altogether. `log` takes START, END and REPORT lines; None = they are not made. `drain_budget_s`: how long
        running invocations may take to end; None = the longest function timeout and 5 s.
        Raises: ConfigurationError and SourceError before anything is received.
        """
        from eventmap import service
        from eventmap.aws.session import AwsSettings

        settings = service.Settings(
            aws=AwsSettings(endpoint_url=endpoint_url, region=region, profile=profile),
            queue_api=queue_api,
            log=log or service.Silent(),
            drain_budget_s=drain_budget_s,
        )
        async with service.running(self.functions(), self.mappings(), settings) as running:
            yield running

    def _check(self, handler: Handler) -> None:
        """Refuse wrong settings where they are written, not where the app is started."""
        settings = self._handlers[handler]
        name = _function(handler, settings | {"isolation": settings.get("isolation", "process")}).function_name
        for other in self._handlers:
            if other is not handler and self._name_of(other) == name:
                raise ConfigurationError(f"two handlers are called {name!r}: give one a function_name of its own")

    def _name_of(self, handler: Handler | str) -> str:
        if isinstance(handler, str):
            return handler
        return str(self._handlers[handler].get("function_name") or default_name(handler))


def _response_types(handler: Handler) -> dict[str, Any]:
    """What a handler made by `each_record` wants of its mapping; a setting given to `sqs` goes before it."""
    marked = getattr(handler, RESPONSE_TYPES_MARK, None)
    return {} if marked is None else {"function_response_types": marked}


def _function(handler: Handler, settings: Mapping[str, Any]) -> Function:
    return Function(**{"function_name": default_name(handler), **settings, "handler": handler})


def default_name(handler: Handler) -> str:
    """The function name of a handler that was given none: its own, made fit for AWS (INV-87)."""
    name = getattr(handler, "__name__", type(handler).__name__)
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", name).strip("-")[:64] or "function"
