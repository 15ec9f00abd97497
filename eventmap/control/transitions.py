"""Transitions: what the states of mappings say is still to be done, done in the background.

begun ─▶ acting ─▶ settled
           │  ▲ └─▶ failed for good: stopped, Disabled
           ▼  │
         waiting      for a source or a store that cannot be reached now
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.control.ports import NamedFunctions, Pollers
from eventmap.errors import AccessRefused, ConfigurationError, SourceError, StateError, TransientSourceError
from eventmap.rules.mapping_api.recorded import RecordedMapping, name_and_qualifier
from eventmap.rules.mapping_api.states import FUNCTION_NOT_FOUND
from eventmap.server.lambda_api import ApiError

T = TypeVar("T")

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
FORGETTING_ATTEMPTS: Final = 5
"""How often a deletion asks for what is remembered of a stream to be dropped, before it does without."""

WATCH_INTERVAL_S: Final = 2.0
"""How often those that poll are looked at, whether their source and function are still there."""

Keep = Callable[[RecordedMapping, RecordedMapping | None], Awaitable[None]]
"""Puts the second, None = nothing, in the place of the first; not if that has been changed meanwhile."""

_log = telemetry.logger("eventmap.control")


@dataclass(slots=True)
class _Transition:
    """One mapping on its way."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    trouble: str | None = None  #: what it waits for the end of; None = it acts


Act = Callable[[RecordedMapping, _Transition], Awaitable[None]]


class Transitions:
    """At most one of each mapping in `recorded`; what it leads to is handed to `keep`."""

    def __init__(
        self, pollers: Pollers, functions: NamedFunctions, recorded: Mapping[str, RecordedMapping], keep: Keep
    ) -> None:
        self._pollers = pollers
        self._functions = functions
        self._recorded = recorded
        self._keep = keep
        self._under_way: dict[str, _Transition] = {}
        self._tasks: TaskGroup | None = None
        self._ended = anyio.Event()
        self._woken = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Begin with all that is recorded, and work until `drain`."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                for uuid, recorded in self._recorded.items():
                    if recorded.state != "Disabled":
                        self.begin(uuid)
                tasks.start_soon(self._watch)
                task_status.started()
        finally:
            self._tasks = None
            self._ended.set()

    async def drain(self) -> None:
        """Cut short what is under way; what it was to lead to is recorded. Before `run`, and twice, is fine."""
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
            await self._ended.wait()

    def check_open(self) -> None:
        """Raises: ApiError, unless it runs."""
        if self._tasks is None:
            raise ApiError(500, "ServiceException", "The service is starting or ending; try again")

    def is_busy(self, uuid: str) -> bool:
        """Whether something is being done with it now; what merely waits may be changed (API-09)."""
        transition = self._under_way.get(uuid)
        return transition is not None and transition.trouble is None

    def trouble(self, uuid: str) -> str | None:
        """What its transition waits for the end of; None = it does not wait."""
        transition = self._under_way.get(uuid)
        return None if transition is None else transition.trouble

    def begin(self, uuid: str) -> None:
        """Do what its state says, in place of what was begun before."""
        assert self._tasks is not None, "begin comes after run"
        recorded, before = self._recorded[uuid], self._under_way.get(uuid)
        self._under_way[uuid] = transition = _Transition()
        if before is not None:
            before.scope.cancel()
        self._tasks.start_soon(self._carry_out, self._act, recorded, transition, before)
        self._woken.set()

    async def _carry_out(
        self, act: Act, recorded: RecordedMapping, transition: _Transition, before: _Transition | None = None
    ) -> None:
        uuid = recorded.uuid
        try:
            if before is not None:
                await before.ended.wait()
            with transition.scope:
                await act(recorded, transition)
        # A defect that one mapping meets is told, and the others are polled on.
        except Exception:
            _log.exception(telemetry.MAPPING_CHANGE_FAILED, mapping=recorded.source_arn, uuid=uuid)
        finally:
            transition.ended.set()
            if self._under_way.get(uuid) is transition:
                del self._under_way[uuid]

    async def _act(self, recorded: RecordedMapping, transition: _Transition) -> None:
        uuid = recorded.uuid
        if recorded.state == "Deleting":
            await self._forget(recorded, transition)
            await self._patiently(transition, uuid, lambda: self._keep(recorded, None))
            _log.info(telemetry.MAPPING_CHANGED, mapping=recorded.source_arn, uuid=uuid, state="deleted")
            return
        await self._pollers.stop(uuid)
        if recorded.enabled:
            try:
                await self._patiently(transition, uuid, lambda: self._start(recorded))
            except (ConfigurationError, SourceError) as error:
                await self._disable(recorded, str(error), transition)
                return
        settled = recorded.settled()
        if not recorded.is_settled:
            await self._patiently(transition, uuid, lambda: self._keep(recorded, settled))
        _log.info(telemetry.MAPPING_CHANGED, mapping=recorded.source_arn, uuid=uuid, state=settled.state)

    async def _disable(self, recorded: RecordedMapping, why: str, transition: _Transition) -> None:
        """On our own account: told at once, then stopped."""
        uuid, failed = recorded.uuid, recorded.failed(why)
        _log.error(telemetry.MAPPING_DISABLED, mapping=recorded.source_arn, uuid=uuid, error=why)
        await self._patiently(transition, uuid, lambda: self._keep(recorded, failed))
        await self._pollers.stop(uuid)
        await self._patiently(transition, uuid, lambda: self._keep(failed, failed.settled()))

    async def _forget(self, recorded: RecordedMapping, transition: _Transition) -> None:
        """So that a mapping made anew begins at its position; but a source that is gone keeps nobody."""
        try:
            await self._patiently(
                transition,
                recorded.uuid,
                lambda: self._pollers.forget(recorded.uuid, recorded.mapping),
                attempts=FORGETTING_ATTEMPTS,
            )
        except (ConfigurationError, SourceError, StateError) as error:
            _log.warning(telemetry.CHECKPOINTS_LEFT, mapping=recorded.source_arn, uuid=recorded.uuid, error=str(error))

    async def _patiently(
        self, transition: _Transition, uuid: str, act: Callable[[], Awaitable[T]], *, attempts: int = 0
    ) -> T:
        """`act`, again and again while what it needs cannot be reached; `attempts` 0 = without end.

        Raises: what `act` raises for good, or for the last time.
        """
        wait_s, attempt = FIRST_WAIT_S, 1
        while True:
            try:
                return await act()
            except (TransientSourceError, StateError) as error:
                if attempt == attempts:
                    raise
                _log.warning(telemetry.MAPPING_WAITING, uuid=uuid, error=str(error))
                transition.trouble = str(error)
            await anyio.sleep(wait_s)
            transition.trouble = None
            wait_s, attempt = min(2 * wait_s, LONGEST_WAIT_S), attempt + 1

    async def _start(self, recorded: RecordedMapping) -> None:
        self._check_function(recorded)
        await self._pollers.start(recorded.uuid, recorded.mapping)

    def _check_function(self, recorded: RecordedMapping) -> None:
        """Raises: ConfigurationError if it is gone; TransientSourceError if it only does not run now."""
        name, qualifier = name_and_qualifier(recorded.function_arn)
        if self._functions.runs(name, qualifier) is None:
            raise ConfigurationError(f"{FUNCTION_NOT_FOUND}: {recorded.function_arn}")
        try:
            self._functions.arn(name)
        except KeyError:
            raise TransientSourceError(f"function {name} does not run now") from None

    async def _watch(self) -> None:
        while True:
            if not any(each.enabled for each in self._recorded.values()):
                self._woken = anyio.Event()
                await self._woken.wait()
            await anyio.sleep(WATCH_INTERVAL_S)
            for recorded in list(self._recorded.values()):
                if recorded.state == "Enabled" and (why := await self._lost(recorded)) is not None:
                    self._stop_for(recorded, why)

    async def _lost(self, recorded: RecordedMapping) -> str | None:
        """Why it can never poll again by itself; None = it can, as far as is known."""
        try:
            self._check_function(recorded)
            if self._pollers.trouble(recorded.uuid) is not None:
                await self._pollers.resolve(recorded.mapping)
        except (TransientSourceError, AccessRefused, StateError):
            return None  # may be over in a moment, or when somebody grants it
        except (ConfigurationError, SourceError) as error:
            return str(error)
        return None

    def _stop_for(self, recorded: RecordedMapping, why: str) -> None:
        """Unless its caller came first."""
        if self._tasks is None or recorded.uuid in self._under_way or self._recorded.get(recorded.uuid) != recorded:
            return

        async def disable(recorded: RecordedMapping, transition: _Transition) -> None:
            await self._disable(recorded, why, transition)

        self._under_way[recorded.uuid] = transition = _Transition()
        self._tasks.start_soon(self._carry_out, disable, recorded, transition)
