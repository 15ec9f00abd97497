"""Functions of the API as they stand: in the store, in the service, and in memory, and one change at a time."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from eventmap import telemetry
from eventmap.clock import wall_time_s
from eventmap.control.code import CodeFolders
from eventmap.control.ports import ControlStore, Functions
from eventmap.errors import ConfigurationError, InvalidParameterValue, SourceError, StateError
from eventmap.function import LATEST, Function
from eventmap.model import JsonObject
from eventmap.rules.function_api import changes, shown
from eventmap.rules.function_api.changes import ChangeRefused, Occasion
from eventmap.rules.function_api.declared import recorded_of
from eventmap.rules.function_api.recorded import RecordedFunction, RecordedVersion, recorded_function
from eventmap.rules.invoke_api import named, read_function
from eventmap.rules.invoke_errors import Refusal

KIND: Final = "function"
"""Of the documents in the store."""

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0

_log = telemetry.logger("eventmap.control")

Change = Callable[[RecordedFunction, Occasion], RecordedFunction]
"""Raises: ChangeRefused, ConfigurationError."""


@dataclass(frozen=True, slots=True)
class Found:
    """A function that a caller named."""

    recorded: RecordedFunction
    qualifier: str  #: "" = none was named
    arn: str  #: its own, unqualified

    @property
    def shown_arn(self) -> str:
        """As it was asked for."""
        return f"{self.arn}:{self.qualifier}" if self.qualifier else self.arn


class KeptFunctions:
    """Those of the API, and the declared ones beside them, which are shown and not changed."""

    def __init__(
        self, functions: Functions, store: ControlStore, code: CodeFolders, declared: Sequence[Function]
    ) -> None:
        self._functions = functions
        self._store = store
        self._code = code
        self._declared = {each.function_name: recorded_of(each, wall_time_s()) for each in declared}
        self._recorded: dict[str, RecordedFunction] = {}
        self._hidden: dict[str, RecordedFunction] = {}  # in the store, and of the name of a declared one
        self._failures: dict[str, str] = {}  # of those that do not run, why
        self._stopping: dict[str, anyio.Event] = {}
        self._tasks: TaskGroup | None = None
        self._changing = anyio.Lock()  # from the last look at what is there to its change in service, store and memory
        self._closing = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Start what the store has, and work until `drain`.

        Started once each was tried; one that cannot be started is shown as Failed, and tried again. Raises: StateError.
        """
        for name, document in (await self._store.read(KIND)).items():
            recorded = _recorded(name, document)
            if name in self._declared:
                self._hidden[name] = recorded
                _log.error(telemetry.FUNCTION_FAILED, function_name=name, error="a function of that name is declared")
            else:
                self._recorded[name] = recorded
        await self._code.sweep(self._folders(), at_once=True)
        self._failures = dict.fromkeys(self._recorded, "It is not started yet")
        async with anyio.create_task_group() as tasks:
            await self._start_failed()
            self._tasks = tasks
            task_status.started()
            tasks.start_soon(self._start_again)
            await self._closing.wait()
            self._tasks = None

    async def _start_again(self) -> None:
        """What could not be started, as long as there is such."""
        wait_s = FIRST_WAIT_S
        while self._failures and not self._closing.is_set():
            with anyio.move_on_after(wait_s):
                await self._closing.wait()
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            await self._start_failed()

    async def drain(self) -> None:
        """Refuse changes from now on. The functions are stopped by whoever stops theirs, after this."""
        self._closing.set()
        async with self._changing:
            """What was being changed has been."""

    def arn_of_absent(self, name: str) -> str:
        """The ARN a function of that name has or would have here, unqualified."""
        return self._functions.arn_of_absent(name)

    def runs(self, name: str, qualifier: str) -> str | None:
        """By which name the code of an alias or version is known that there is; None = there is no such."""
        if (declared := self._declared.get(name)) is not None:
            return name if declared.found(qualifier) else None
        recorded = self._recorded.get(name)
        if recorded is None or recorded.found(qualifier) is None:
            return None
        return name if qualifier in ("", LATEST) else f"{name}:{qualifier}"

    def all(self) -> list[RecordedFunction]:
        """By name, declared ones too."""
        return sorted([*self._declared.values(), *self._recorded.values()], key=lambda each: each.name)

    def found(self, text: str, qualifier: str = "") -> Found:
        """What a caller means by a name or ARN, and its qualifier, which is there.

        Raises: ChangeRefused, InvalidParameterValue.
        """
        reference = read_function(text, qualifier)
        if isinstance(reference, Refusal):
            raise ChangeRefused(reference.status, reference.error_type, reference.message)
        here = self._functions.arn_of_absent(reference.name)
        _, partition, _, region, account, _ = here.split(":", 5)
        arn = named(reference, partition, region, account)
        recorded = self._declared.get(reference.name) or self._recorded.get(reference.name)
        if recorded is None or arn != here or recorded.found(reference.qualifier) is None:
            raise changes.not_found(arn, reference.qualifier)
        return Found(recorded, reference.qualifier, arn)

    def configuration(self, found: Found, version: RecordedVersion | None = None) -> JsonObject:
        """FunctionConfiguration as asked for, or of one of its versions."""
        name, arn = found.recorded.name, found.shown_arn
        if version is not None:
            arn = f"{found.arn}:{version.version}"
        else:
            version = found.recorded.found(found.qualifier)
            assert version is not None
        return shown.configuration(version, name, arn, failure=self._failures.get(name))

    def folder(self, found: Found) -> str:
        """Where the code of what was asked for lies on this machine."""
        version = found.recorded.found(found.qualifier)
        assert version is not None
        return self._code.path(version.code.folder) if version.code.folder else os.getcwd()

    def changed(self, text: str, change: Change) -> Found:
        """What `change` would lead to; it is not made."""
        found = self.changeable(text)
        return replace(found, recorded=change(found.recorded, occasion(found.arn)))

    async def change(self, text: str, change: Change) -> Found:
        """Change a function as a whole; returns it as it is then. Raises: as `change` does, and ChangeRefused,
        ConfigurationError and SourceError for what cannot run, StateError."""
        async with self._alone():
            found = self.changeable(text)
            before, name = found.recorded, found.recorded.name
            after = change(before, occasion(found.arn))
            if after == before:
                return found
            await self._keep(before, after)
            _log.info(telemetry.FUNCTION_CHANGED, function_name=name, change="updated")
        await self._code.sweep(self._folders())
        return replace(found, recorded=after)

    async def add(self, name: str, make: Callable[[Occasion], RecordedFunction]) -> Found:
        """A function that was not there: it runs, and is in the store, or neither. Raises: as `change`."""
        async with self._alone():
            self.check_free(name)
            arn = self._functions.arn_of_absent(name)
            recorded = make(occasion(arn))
            if (stopping := self._stopping.get(name)) is not None:
                await stopping.wait()
            await self._functions.start(self._function(recorded))
            try:
                await self._put(recorded)
            except BaseException:
                await self._functions.stop(name)
                raise
            _log.info(telemetry.FUNCTION_CHANGED, function_name=name, change="created")
        return Found(recorded, "", arn)

    def check_free(self, name: str) -> None:
        """Raises: ChangeRefused if there is a function of that name."""
        if name in self._declared or name in self._recorded:
            raise ChangeRefused(409, "ResourceConflictException", f"Function already exist: {name}")

    async def remove(self, text: str) -> None:
        """As a whole; invocations under way end. Raises: as `change`."""
        async with self._alone():
            name = self.changeable(text).recorded.name
            await self._store.write({(KIND, name): None})
            del self._recorded[name]
            self._failures.pop(name, None)
            assert self._tasks is not None
            self._stopping[name] = anyio.Event()
            await self._tasks.start(self._stop, name)
            _log.info(telemetry.FUNCTION_CHANGED, function_name=name, change="deleted")
        await self._code.sweep(self._folders())

    async def _stop(self, name: str, *, task_status: TaskStatus[None]) -> None:
        """Invocations under way may take minutes to end, which nobody waits for but who makes it anew."""
        task_status.started()
        try:
            await self._functions.stop(name)
        finally:
            self._stopping.pop(name).set()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One change at a time; a caller that goes away leaves nothing half done. Raises: ChangeRefused."""
        with anyio.CancelScope(shield=True):
            async with self._changing:
                if self._tasks is None or self._closing.is_set():
                    raise ChangeRefused(500, "ServiceException", "The service is starting or ending; try again")
                yield

    def changeable(self, text: str) -> Found:
        """Raises: ChangeRefused, InvalidParameterValue."""
        found = self.found(text)
        name = found.recorded.name
        if found.qualifier not in ("", LATEST):
            raise InvalidParameterValue(f"{text} names one version; leave it out to change function {name}")
        if name in self._declared:
            raise ChangeRefused(
                409,
                "ResourceConflictException",
                f"Function {name} was declared where eventmap was started, in code or on its command line: change it "
                "there",
            )
        return replace(found, qualifier="")

    async def _keep(self, before: RecordedFunction, after: RecordedFunction) -> None:
        """Run it and put it into the store, or neither."""
        name = before.name
        function, failure = self._function(after), self._failures.get(name)
        is_other = function != self._function(before)
        if failure is not None:
            await self._functions.start(function)
        elif is_other:
            await self._functions.replace(function)
        try:
            await self._put(after)
        except BaseException:
            if failure is not None:
                await self._functions.stop(name)
            elif is_other:
                await self._functions.replace(self._function(before))
            raise
        self._failures.pop(name, None)

    async def _put(self, recorded: RecordedFunction) -> None:
        await self._store.write({(KIND, recorded.name): recorded.document()})
        self._recorded[recorded.name] = recorded

    async def _start_failed(self) -> None:
        for name in list(self._failures):
            async with self._changing:
                if self._closing.is_set() or name not in self._failures:
                    continue
                try:
                    await self._functions.start(self._function(self._recorded[name]))
                except (ConfigurationError, SourceError, StateError) as error:
                    if self._failures[name] != str(error):
                        _log.error(telemetry.FUNCTION_FAILED, function_name=name, error=str(error))
                    self._failures[name] = str(error)
                else:
                    del self._failures[name]

    def _function(self, recorded: RecordedFunction) -> Function:
        return recorded.function(self._code.path)

    def _folders(self) -> frozenset[str]:
        return frozenset(
            folder for each in (*self._recorded.values(), *self._hidden.values()) for folder in each.folders
        )


def occasion(arn: str) -> Occasion:
    """A change that is made now."""
    return Occasion(wall_time_s(), str(uuid.uuid4()), arn)


def _recorded(name: str, document: JsonObject) -> RecordedFunction:
    try:
        return recorded_function(document)
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(
            f"the control file holds a function that cannot be read, {name} ({error!r}): restore the file from a "
            "backup, or name another with --control"
        ) from error
