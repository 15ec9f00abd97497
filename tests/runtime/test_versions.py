"""Versions of a function: each with code and environments of its own, within one concurrency (INV-92, 100, 115)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from eventmap.function import Function
from eventmap.model import Refused
from tests.runtime.running import event, returned, running

OWN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
CODE = """
import os, time
COUNT = []
def handler(event, context):
    COUNT.append(1)
    time.sleep(event.get("s", 0))
    return {
        "says": SAYS, "count": len(COUNT), "folder": os.getcwd(), "root": os.environ["LAMBDA_TASK_ROOT"],
        "version": context.function_version, "log": context.log_stream_name, "pid": os.getpid(),
    }
"""


def code(folder: Path, says: str) -> str:
    """A folder of code."""
    folder.mkdir()
    (folder / "app.py").write_text(f"SAYS = {says!r}\n{CODE}")
    return str(folder)


def version(number: str, folder: str, **settings: Any) -> Function:
    return Function(
        **{
            "function_name": "orders",
            "handler": "app:handler",
            "isolation": "process",
            "version": number,
            "code_folder": folder,
            "timeout": 10,
            **settings,
        }
    )


async def says(runtime: Any, qualifier: str = "", **sent: Any) -> Any:
    arn = f"{OWN}:{qualifier}" if qualifier else None
    return returned(await runtime.invoke(event(**sent), invoked_arn=arn))


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return [code(tmp_path / name, name) for name in ("latest", "one", "two")]


def settings(folders: list[str], **more: Any) -> dict[str, Any]:
    return {
        "isolation": "process",
        "timeout": 10,
        "code_folder": folders[0],
        "versions": {"1": version("1", folders[1])},
        "aliases": {"live": "1", "beta": "$LATEST"},
        **more,
    }


async def test_inv_100_115_each_version_runs_in_its_own_folder(folders: list[str]) -> None:
    """INV-100, 115, 118: the code, current folder, task root, version and log stream are the version's."""
    async with running("app:handler", **settings(folders)) as runtime:
        latest, one, live, beta = [await says(runtime, name) for name in ("", "1", "live", "beta")]

    assert (latest["says"], latest["version"]) == ("latest", "$LATEST")
    assert (latest["folder"], latest["root"]) == (folders[0], folders[0])
    assert (one["says"], one["version"], one["folder"]) == ("one", "1", folders[1])
    assert "/[1]" in one["log"]
    assert "/[$LATEST]" in latest["log"]
    assert (live["says"], live["pid"]) == ("one", one["pid"])  # the alias runs in the version's environments
    assert (beta["says"], beta["pid"]) == ("latest", latest["pid"])


async def test_what_a_function_has_not_does_not_run(folders: list[str]) -> None:
    """An alias or version that went while the call was on its way: other code would be worse than none."""
    async with running("app:handler", **settings(folders)) as runtime:
        assert await runtime.invoke(event(), invoked_arn=f"{OWN}:2") == Refused("ResourceNotFoundException")


async def test_environments_stay_warm_over_changes_they_cannot_see(folders: list[str]) -> None:
    """A new version, a moved alias, another concurrency start nothing anew; other code or configuration does."""
    before = settings(folders)
    async with running("app:handler", **before) as runtime:
        first, one = await says(runtime), await says(runtime, "1")
        two = version("2", folders[2])
        after = before | {"versions": before["versions"] | {"2": two}, "aliases": {"live": "2"}}
        after |= {"reserved_concurrent_executions": 4}
        runtime.replace(Function(function_name="orders", handler="app:handler", **after))

        assert (await says(runtime))["pid"] == first["pid"]
        assert (await says(runtime, "1"))["pid"] == one["pid"]
        assert (await says(runtime, "live"))["says"] == "two"
        assert runtime.free == 4

        runtime.replace(Function(function_name="orders", handler="app:handler", **after | {"memory_size": 300}))
        changed = await says(runtime)
        assert (changed["count"], changed["says"]) == (1, "latest")
        assert (await says(runtime, "1"))["pid"] == one["pid"]
        runtime.replace(Function(function_name="orders", handler="app:handler", **after | {"code_folder": folders[2]}))
        assert (await says(runtime))["says"] == "two"


async def test_a_version_that_is_deleted_ends_what_it_runs(folders: list[str]) -> None:
    """What runs ends on its code, is counted until then, and nothing of it is left."""
    before = settings(folders)
    async with running("app:handler", **before) as runtime:
        await says(runtime, "1")
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await says(runtime, "1", s=0.3))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(0.1)
            runtime.replace(
                Function(function_name="orders", handler="app:handler", **before | {"versions": {}, "aliases": {}})
            )
            assert runtime.free == 9
            await runtime.idle()
        assert answers[0]["says"] == "one"
        assert runtime.free == 10
        assert await runtime.invoke(event(), invoked_arn=f"{OWN}:1") == Refused("ResourceNotFoundException")


async def test_inv_92_versions_share_the_concurrency(folders: list[str]) -> None:
    """INV-92: while one runs, the other is refused as if it were the same; then it is not."""
    async with running("app:handler", **settings(folders, reserved_concurrent_executions=1)) as runtime:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(says, runtime)
            await anyio.sleep(0)
            refused = await runtime.invoke(event(), invoked_arn=f"{OWN}:1")
        assert refused == Refused("ReservedFunctionConcurrentInvocationLimitExceeded")
        assert (await says(runtime, "1"))["says"] == "one"


async def test_idle_environments_of_every_version_are_reclaimed(folders: list[str]) -> None:
    """INV-78: the idle time of each version is its own."""
    one = version("1", folders[1], idle_timeout_s=0.2)
    async with running("app:handler", **settings(folders, versions={"1": one})) as runtime:
        latest, first = await says(runtime), await says(runtime, "1")
        await anyio.sleep(0.8)
        assert (await says(runtime))["pid"] == latest["pid"]
        assert (await says(runtime, "1"))["pid"] != first["pid"]


async def test_a_folder_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    """The invocation is refused, as when no process is left."""
    async with running("app:handler", isolation="process", code_folder=str(tmp_path / "gone")) as runtime:
        assert await runtime.invoke(event()) == Refused("ServiceException")


@pytest.mark.parametrize(
    "change", [{"timeout": 9}, {"memory_size": 300}, {"environment": {"A1": "x"}}, {"handler": "app:other"}]
)
async def test_what_an_environment_can_see_starts_another(folders: list[str], change: dict[str, Any]) -> None:
    """Each by itself."""
    (Path(folders[0]) / "app.py").write_text(f"SAYS = 'latest'\n{CODE}other = handler\n")
    before = settings(folders)
    async with running("app:handler", **before) as runtime:
        first = await says(runtime)
        runtime.replace(Function(**{"function_name": "orders", "handler": "app:handler", **before, **change}))
        assert (await says(runtime))["pid"] != first["pid"]


async def test_code_outside_a_folder_of_its_own_may_have_changed(folders: list[str]) -> None:
    """It is read anew with every change, as its file may be another now."""
    handler = f"{folders[0]}/app.py:handler"
    async with running(handler, isolation="process", timeout=10) as runtime:
        first = await says(runtime)
        runtime.replace(Function(function_name="orders", handler=handler, isolation="process", timeout=10))
        assert (await says(runtime))["pid"] != first["pid"]


async def test_a_version_that_is_deleted_does_not_outlive_the_service(folders: list[str]) -> None:
    """What it runs at the end is ended with all others."""
    before = settings(folders)
    async with anyio.create_task_group() as tasks:
        async with running("app:handler", **before) as runtime:
            pid = (await says(runtime, "1"))["pid"]
            sleep = event(s=60)
            tasks.start_soon(lambda: runtime.invoke(sleep, invoked_arn=f"{OWN}:1"))
            await anyio.sleep(0.2)
            none = before | {"versions": {}, "aliases": {}}
            runtime.replace(Function(function_name="orders", handler="app:handler", **none))
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        tasks.cancel_scope.cancel()
