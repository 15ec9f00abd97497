"""Targets: what users type, and what they are told when it leads nowhere."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventmap.errors import ConfigurationError, TargetNotFound
from eventmap.runtime.target import lambda_handler_name, load_target, target_of, task_root
from tests.runtime.handlers import ordinary
from tests.runtime.running import HANDLERS, in_file


def test_a_module_and_a_dotted_attribute_lead_to_the_object():
    """The attribute may lie inside classes."""
    assert ordinary.Orders.Nested.handler is load_target("tests.runtime.handlers.ordinary:Orders.Nested.handler")


def test_a_file_leads_to_the_object_and_is_loaded_once():
    """Two targets into one file share its module."""
    first, second = load_target(in_file("echo")), load_target(in_file("echo"))

    assert first is second
    assert first({"a": 1}, None) == {"a": 1}


def test_the_current_folder_is_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A module beside the user is found whatever sys.path says."""
    (tmp_path / "found_in_current_folder.py").write_text("def handler(event, context): return 5")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])

    assert load_target("found_in_current_folder:handler")(None, None) == 5  # type: ignore[operator]


@pytest.mark.parametrize("target", ["handler", "module:", ":handler", "module:a..b"])
def test_a_malformed_target_is_told_the_form(target: str):
    """The message says what was expected."""
    with pytest.raises(TargetNotFound, match=r"expected module:attribute or path/to/file.py:attribute"):
        load_target(target)


def test_a_missing_module_is_named_with_its_near_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A typing error in the module is pointed out."""
    (tmp_path / "orders.py").write_text("")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(TargetNotFound, match=r"there is no module 'ordres' \(did you mean 'orders'\?\)"):
        load_target("ordres:handler")


def test_a_missing_file_is_named_with_its_near_names():
    """A typing error in the path is pointed out."""
    with pytest.raises(TargetNotFound, match=r"there is no file '.*ordinry.py' \(did you mean 'ordinary.py'\?\)"):
        load_target(in_file("echo", "ordinry"))


def test_a_missing_attribute_is_named_with_its_near_names():
    """A typing error in the attribute is pointed out, and which part of the target was found."""
    with pytest.raises(
        TargetNotFound, match=r"'Orders' was imported, but has no attribute 'Nestd' \(did you mean 'Nest"
    ):
        load_target("tests.runtime.handlers.ordinary:Orders.Nestd.handler")


def test_an_import_error_inside_the_users_module_passes_through():
    """The user's own mistake is not dressed up as ours."""
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        load_target("tests.runtime.handlers.broken_import:handler")


def test_any_exception_inside_the_users_file_passes_through(capsys: pytest.CaptureFixture[str]):
    """A second attempt imports anew instead of finding half a module."""
    for _ in range(2):
        with pytest.raises(LookupError, match="no table"):
            load_target(in_file("handler", "raises"))

    assert capsys.readouterr().out == "importing\nimporting\n"


def test_a_function_has_a_target_that_leads_back():
    """What a child imports is what the parent was given."""
    target = target_of(ordinary.Orders.Nested.handler)

    assert target == "tests.runtime.handlers.ordinary:Orders.Nested.handler"
    assert load_target(target) is ordinary.Orders.Nested.handler


_SCRIPT = """
import asyncio, os
from eventmap.function import Function
from eventmap.model import Event
from eventmap.runtime.invoker import FunctionRuntime

class Silent:
    enabled = False
    def line(self, function_name, request_id, text): ...

def handler(event, context):
    return [__name__, os.getpid() != event["pid"]]

async def main():
    function = Function(handler=handler, function_name="f", isolation="process")
    async with FunctionRuntime(function, region="eu-west-1", account_id="1", log=Silent()) as runtime:
        print((await runtime.invoke(Event({"pid": os.getpid()}))).payload.decode())

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", [["main_script.py"], ["-m", "main_script"]], ids=["file", "-m"])
def test_a_function_of_the_main_script_is_imported_from_its_file(tmp_path: Path, how: list[str]):
    """The child imports the script under its own name, so its `if __name__` guard holds."""
    (tmp_path / "main_script.py").write_text(_SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.getcwd()}

    done = subprocess.run([sys.executable, *how], cwd=tmp_path, env=environment, capture_output=True, timeout=30)

    assert (done.stdout.decode().strip(), done.stderr.decode()) == ('["main_script", true]', "")


@pytest.mark.parametrize(
    "handler",
    [lambda event, context: None, functools.partial(ordinary.echo), ordinary.Orders(), ordinary.hidden],
    ids=["lambda", "partial", "object", "another object has its name"],
)
def test_a_callable_no_name_leads_to_is_refused(handler: Any):
    """What another process cannot import is refused before anything starts."""
    with pytest.raises(ConfigurationError, match='use isolation="inline"'):
        target_of(handler)


def test_inv_115_the_task_root_is_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """INV-115: modules belong to the current folder, files to their own."""
    monkeypatch.chdir(tmp_path)

    assert str(tmp_path) == task_root("app:handler")
    assert str(HANDLERS) == task_root(in_file("echo"))
    assert lambda_handler_name("src/app.py:handler") == "src/app.handler"
