"""Changes of functions when the service, the store or the caller fails in the middle of one."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.control.functions import ControlledFunctions
from eventmap.control.kept_functions import KIND
from eventmap.errors import ConfigurationError, EventmapError, StateError
from eventmap.function import Function
from eventmap.model import JsonObject
from eventmap.rules.function_api import changes
from eventmap.rules.function_api.changes import ChangeRefused
from eventmap.state.control_memory import MemoryControl
from tests.server.function_scene import ROLE, zipped

BODY: JsonObject = {
    "FunctionName": "pay",
    "Role": ROLE,
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Code": {"ZipFile": base64.b64encode(zipped()).decode()},
}


@dataclass
class Running:
    """Runs nothing, and remembers; `errors` are raised by the calls of that name, one each."""

    running: dict[str, Function] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    errors: dict[str, list[EventmapError]] = field(default_factory=dict)
    stopping: anyio.Event | None = None  #: what a stop waits for

    def arn(self, name: str) -> str:
        return self.arn_of_absent(self.running[name].function_name)

    def arn_of_absent(self, name: str) -> str:
        return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"

    async def start(self, function: Function) -> None:
        await self._asked("start")
        assert function.function_name not in self.running, "two functions of one name"
        self.running[function.function_name] = function

    async def replace(self, function: Function) -> None:
        await self._asked("replace")
        assert function.function_name in self.running
        self.running[function.function_name] = function

    async def stop(self, name: str) -> None:
        await self._asked("stop")
        if self.stopping is not None:
            await self.stopping.wait()
        self.running.pop(name, None)

    async def _asked(self, what: str) -> None:
        await anyio.lowlevel.checkpoint()
        if errors := self.errors.get(what):
            raise errors.pop(0)
        self.calls.append(what)


class FailingControl(MemoryControl):
    """The next `failures` writes fail."""

    failures = 0

    async def write(self, changes: Mapping[tuple[str, str], JsonObject | None]) -> None:
        await anyio.lowlevel.checkpoint()
        if self.failures:
            self.failures -= 1
            raise StateError("the disk is full")
        await super().write(changes)


@dataclass
class World:
    functions: ControlledFunctions
    service: Running
    store: FailingControl

    async def memory(self) -> int:
        """What is kept of its configuration."""
        document: Any = (await self.store.read(KIND))["pay"]
        return int(document["latest"]["members"]["MemorySize"])


@asynccontextmanager
async def world(
    folder: Path, store: FailingControl | None = None, service: Running | None = None, **more: Any
) -> AsyncIterator[World]:
    store, service = store or FailingControl(), service or Running()
    functions = ControlledFunctions(service, store, folder, **more)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            await tasks.start(lambda *, task_status: functions.run(task_status=task_status))
            yield World(functions, service, store)
            await functions.drain()


async def test_a_function_that_cannot_be_kept_does_not_run(tmp_path: Path) -> None:
    """Created: neither in the store nor in the service; the next try makes it."""
    async with world(tmp_path) as there:
        there.store.failures = 1
        with pytest.raises(StateError, match="the disk is full"):
            await there.functions.create(BODY)
        assert (there.service.running, await there.store.read(KIND)) == ({}, {})
        await there.functions.create(BODY)
        assert list(there.service.running) == ["pay"]


async def test_a_function_that_cannot_run_is_not_kept(tmp_path: Path) -> None:
    """Created: refused with the service's reason."""
    async with world(tmp_path) as there:
        there.service.errors["start"] = [ConfigurationError("no such destination")]
        with pytest.raises(ConfigurationError, match="no such destination"):
            await there.functions.create(BODY)
        assert await there.store.read(KIND) == {}
        assert there.functions.kept.all() == []


@pytest.mark.parametrize("fails", ["service", "store"])
async def test_a_change_that_fails_leaves_all_as_it_was(tmp_path: Path, fails: str) -> None:
    """Updated: what runs and what is kept are the old one."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        if fails == "service":
            there.service.errors["replace"] = [ConfigurationError("no such destination")]
        else:
            there.store.failures = 1
        with pytest.raises((ConfigurationError, StateError)):
            await there.functions.update_configuration("pay", {"MemorySize": 512})

        assert there.service.running["pay"].memory_size == 128
        assert await there.memory() == 128
        assert there.functions.kept.all()[0].latest.members["MemorySize"] == 128
        await there.functions.update_configuration("pay", {"MemorySize": 512})
        assert (there.service.running["pay"].memory_size, await there.memory()) == (512, 512)


async def test_a_deletion_that_fails_deletes_nothing(tmp_path: Path) -> None:
    """The function runs on, and can be deleted later."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        there.store.failures = 1
        with pytest.raises(StateError):
            await there.functions.delete("pay", "")
        assert list(there.service.running) == ["pay"]
        await there.functions.delete("pay", "")
        await anyio.wait_all_tasks_blocked()
        assert there.service.running == {}


async def test_a_caller_that_goes_away_leaves_nothing_half_done(tmp_path: Path) -> None:
    """Cancelled anywhere in a creation: it is there as a whole, or not at all."""
    body = {**BODY, "Code": {}, "Handler": "app:handler"}
    for checkpoints in range(1, 12):
        async with world(tmp_path / str(checkpoints)) as there:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(there.functions.create, body)
                    for _ in range(checkpoints):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()
            assert set(there.service.running) == set(await there.store.read(KIND))


async def test_what_changes_nothing_of_what_runs_is_only_kept(tmp_path: Path) -> None:
    """Tags, permissions, a change to what is already so."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        arn = there.functions.arn("pay")
        await there.functions.tag(arn, {"a": "b"})
        await there.functions.untag(arn, ["x"])
        await there.functions.update_configuration("pay", {"Description": "other"})
        assert there.service.calls == ["start"]


async def test_a_name_in_use_by_what_still_ends(tmp_path: Path) -> None:
    """A deletion is answered at once; a function of that name starts when the old one has ended; others do not wait."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        there.service.stopping = anyio.Event()
        await there.functions.delete("pay", "")
        await there.functions.create({**BODY, "FunctionName": "other"})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(there.functions.create, BODY)
            await anyio.sleep(0.1)
            assert there.service.running["pay"].function_name == "pay"
            assert there.service.calls == ["start", "stop", "start"]
            there.service.stopping.set()
        assert there.service.calls == ["start", "stop", "start", "start"]


async def test_a_restart_starts_what_is_kept_and_nothing_else(tmp_path: Path) -> None:
    """Whatever came of the process before."""
    async with world(tmp_path) as there:
        await there.functions.create({**BODY, "Publish": True})
        await there.functions.create({**BODY, "FunctionName": "gone"})
        await there.functions.delete("gone", "")
        store = there.store
    async with world(tmp_path, store) as there:
        assert list(there.service.running) == ["pay"]
        assert list(there.service.running["pay"].versions) == ["1"]


async def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """StateError names the function, and the way out."""
    store = FailingControl()
    await store.write({(KIND, "pay"): {"name": "pay"}})
    functions = ControlledFunctions(Running(), store, tmp_path)
    with pytest.raises(StateError, match=r"a function that cannot be read, pay .*restore the file from a backup"):
        await functions.run()


async def test_a_declared_function_hides_one_of_its_name(tmp_path: Path) -> None:
    """The one of the API is kept with its code, and not run; it is there again without the declared one."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        store = there.store
    declared = Function(handler="app:handler", function_name="pay", aliases=["live"])
    async with world(tmp_path, store, declared=[declared]) as there:
        assert there.service.running == {}
        assert there.functions.runs("pay", "live") == "pay"
        with pytest.raises(ChangeRefused, match="declared where eventmap was started"):
            await there.functions.delete("pay", "")
    async with world(tmp_path, store) as there:
        assert Path(str(there.service.running["pay"].code_folder), "app.py").exists()


async def test_api_11_what_a_mapping_may_name(tmp_path: Path) -> None:
    """API-11: an alias by its own name, for it may move on; what is not there not at all."""
    async with world(tmp_path) as there:
        await there.functions.create({**BODY, "Publish": True})
        await there.functions.kept.change(
            "pay", lambda it, of: changes.alias_created(it, {"Name": "live", "FunctionVersion": "1"}, of)
        )
        runs = there.functions.runs
        assert [runs("pay", name) for name in ("", "$LATEST", "1", "live")] == ["pay", "pay", "pay:1", "pay:live"]
        assert [runs("pay", "2"), runs("other", "")] == [None, None]
        assert there.functions.arn("pay") == there.functions.arn_of_absent("pay")
        with pytest.raises(KeyError):
            there.functions.arn("other")


async def test_changes_while_the_service_ends_are_refused(tmp_path: Path) -> None:
    """ServiceException: nobody is told that something is done which will not be."""
    async with world(tmp_path) as there:
        await there.functions.drain()
        with pytest.raises(ChangeRefused, match="starting or ending"):
            await there.functions.create(BODY)


@pytest.mark.virtual_time
async def test_what_cannot_be_started_is_tried_again_ever_more_rarely(tmp_path: Path) -> None:
    """After 1 s, 3 s, 7 s …, and told once while the reason is the same."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        store = there.store
    service = Running(errors={"start": [ConfigurationError("no such destination")] * 4})
    async with world(tmp_path, store, service) as there:
        began = anyio.current_time()
        while not service.running:
            await anyio.sleep(0.5)
        assert 7 <= anyio.current_time() - began <= 16


async def test_what_is_mended_but_cannot_be_kept_stays_failed(tmp_path: Path) -> None:
    """Nothing runs that is not in the store; the next try mends it."""
    async with world(tmp_path) as there:
        await there.functions.create(BODY)
        store = there.store
    service = Running(errors={"start": [ConfigurationError("no such destination")]})
    async with world(tmp_path, store, service) as there:
        store.failures = 1
        with pytest.raises(StateError):
            await there.functions.update_configuration("pay", {"MemorySize": 512})
        assert service.running == {}
        found = there.functions.kept.found("pay")
        assert there.functions.kept.configuration(found)["StateReason"] == "no such destination"
        await there.functions.update_configuration("pay", {"MemorySize": 512})
        assert there.functions.kept.configuration(there.functions.kept.found("pay"))["State"] == "Active"
        assert (service.running["pay"].memory_size, await there.memory()) == (512, 512)
