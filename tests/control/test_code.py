"""Zip files of code: unpacked once, privately and within limits, or refused without a trace (INV-86)."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from eventmap.control import code as code_folders
from eventmap.control.code import CodeFolders
from eventmap.errors import InvalidParameterValue, StateError
from eventmap.rules.function_api import package
from tests.server.function_scene import zip_of


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    info.external_attr = mode << 16
    return info


def zip_with(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as written:
        for info, content in entries:
            written.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


async def test_inv_86_a_zip_file_becomes_a_folder_of_ours_alone(tmp_path: Path) -> None:
    """Files as they are, read-only, runnable if they could be run; nobody else sees them; the name is the hash."""
    folders = CodeFolders(tmp_path / "code")
    zipped = zip_with(
        (entry("app.py"), b"x = 1\n"),
        (entry("bin/tool", 0o100755), b"#!/bin/sh\n"),
        (entry("empty/", 0o40755), b""),
        (entry("deep/er/data.json", 0), b"{}"),
    )

    found = await folders.unpack(zipped)

    folder = Path(folders.path(found.folder))
    assert found.size == len(zipped)
    assert sorted(str(each.relative_to(folder)) for each in folder.rglob("*")) == [
        *("app.py", "bin", "bin/tool", "deep", "deep/er", "deep/er/data.json", "empty")
    ]
    assert (folder / "app.py").read_bytes() == b"x = 1\n"
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("app.py", "bin/tool", "bin", ".", "..")}
    assert modes == {"app.py": 0o400, "bin/tool": 0o500, "bin": 0o700, ".": 0o700, "..": 0o700}
    assert await folders.unpack(zipped) == found
    assert [each.name for each in (tmp_path / "code").iterdir()] == [found.folder]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "not a zip": lambda: b"this is no zip file",
    "empty": lambda: b"",
    "nothing in it": lambda: zip_of({}),
    "cut short": lambda: zip_of({"app.py": "x" * 1000})[:-30],
    "parent": lambda: zip_with((entry("../evil.py"), b"x")),
    "parent within": lambda: zip_with((entry("a/../../evil.py"), b"x")),
    "absolute": lambda: zip_with((entry("/tmp/evil.py"), b"x")),
    "dot": lambda: zip_with((entry("."), b"x")),
    "link": lambda: zip_with((entry("link", 0o120777), b"/etc/passwd")),
    "link to a folder, and a file in it": lambda: zip_with((entry("a", 0o120777), b"/tmp"), (entry("a/evil.py"), b"x")),
    "pipe": lambda: zip_with((entry("pipe", 0o010644), b"")),
    "device": lambda: zip_with((entry("device", 0o020644), b"")),
    "twice": lambda: _twice(),
    "a file that is a folder": lambda: zip_with((entry("a"), b"x"), (entry("a/b"), b"x")),
    "a folder that is a file": lambda: zip_with((entry("a/b"), b"x"), (entry("a"), b"x")),
    "a name too long": lambda: zip_with((entry("a" * 300), b"x")),
    "bad bytes": lambda: _damaged(),
    "encrypted": lambda: _with_flag(1),
    "unknown compression": lambda: _with_method(99),
    "a lie about its size": lambda: _lying(),
}


def _twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return zip_with((entry("a"), b"x"), (entry("a"), b"y"))


def _damaged() -> bytes:
    zipped = bytearray(zip_of({"app.py": os.urandom(1000)}))
    zipped[200:300] = bytes(100)
    return bytes(zipped)


def _with_flag(flag: int) -> bytes:
    zipped = bytearray(zip_of({"app.py": "x"}))
    for signature, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = zipped.index(signature) + offset
        zipped[at] |= flag
    return bytes(zipped)


def _with_method(method: int) -> bytes:
    zipped = bytearray(zip_of({"app.py": "x"}))
    for signature, offset in ((b"PK\1\2", 10), (b"PK\3\4", 8)):
        at = zipped.index(signature) + offset
        zipped[at : at + 2] = struct.pack("<H", method)
    return bytes(zipped)


def _lying() -> bytes:
    """1 MB that says it is 10 bytes long."""
    zipped = bytearray(zip_of({"app.py": bytes(1_000_000)}))
    at = zipped.index(b"PK\1\2") + 24
    zipped[at : at + 4] = struct.pack("<I", 10)
    return bytes(zipped)


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_reaches_beyond_its_folder_or_is_no_zip_leaves_nothing(tmp_path: Path, name: str) -> None:
    """InvalidParameterValue, in AWS' words; no file of it exists anywhere afterwards."""
    folders = CodeFolders(tmp_path / "in" / "code")

    with pytest.raises(InvalidParameterValue) as refused:
        await folders.unpack(HOSTILE[name]())

    words = "Uploaded file must be a non-empty zip" if name == "nothing in it" else package.UNREADABLE
    assert str(refused.value).startswith(words)
    assert [each for each in tmp_path.rglob("*") if each.is_file() or each.parent.name == "code"] == []


async def test_inv_86_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INV-86: 50 MB zipped, 250 MB unzipped, before anything is written; and 50,000 entries of our own."""
    folders = CodeFolders(tmp_path / "code")
    with pytest.raises(InvalidParameterValue, match="must be at most 52428800 bytes long, not 52428801"):
        await folders.unpack(bytes(52_428_801))
    bomb = zip_of({f"{i}": bytes(25_000_000) for i in range(10)} | {"more": bytes(12_144_001)})
    assert len(bomb) < 400_000
    with pytest.raises(InvalidParameterValue, match="Unzipped size must be smaller than 262144000 bytes"):
        await folders.unpack(bomb)
    monkeypatch.setattr(package, "ENTRY_LIMIT", 2)
    with pytest.raises(InvalidParameterValue, match="holds 3 entries; at most 2 are unpacked"):
        await folders.unpack(zip_of({"a": "", "b": "", "c": ""}))
    with pytest.raises(InvalidParameterValue, match="holds 5 entries; at most 2 are unpacked"):
        await folders.unpack(5 * b"PK\1\2")
    assert not (tmp_path / "code").exists() or not list((tmp_path / "code").iterdir())


async def test_what_the_directory_says_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is counted too."""
    monkeypatch.setattr(code_folders, "UNZIPPED_LIMIT_BYTES", 1000)
    with pytest.raises(InvalidParameterValue, match="Unzipped size must be smaller than"):
        await CodeFolders(tmp_path).unpack(zip_of({"a": bytes(600), "b": bytes(600)}))
    assert list(tmp_path.iterdir()) == []


async def test_the_same_code_at_the_same_time(tmp_path: Path) -> None:
    """Each caller gets the folder, which is there once."""
    folders, zipped = CodeFolders(tmp_path), zip_of({f"{i}.py": "x" for i in range(50)})
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(folders.unpack, zipped)
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """StateError names the folder and the way out."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"code cannot be kept in .*file/code"):
        await CodeFolders(tmp_path / "file" / "code").unpack(zip_of({"a": "x"}))


@pytest.mark.virtual_time
async def test_code_that_nothing_uses_goes_after_a_while(tmp_path: Path) -> None:
    """Longer than an invocation may run; what is used, or used again, stays; what is not ours is left alone."""
    folders = CodeFolders(tmp_path)
    old, used, again = [(await folders.unpack(zip_of({"a": name}))).folder for name in ("old", "used", "again")]
    (tmp_path / "notes").mkdir()
    (tmp_path / "new-half").mkdir()

    await folders.sweep([used])
    await anyio.sleep(901)
    await folders.sweep([used])
    assert {each.name for each in tmp_path.iterdir()} == {old, used, again, "notes", "new-half"}
    await folders.unpack(zip_of({"a": "again"}))
    await anyio.sleep(300)
    await folders.sweep([used])
    assert {each.name for each in tmp_path.iterdir()} == {used, again, "notes"}
    await folders.sweep([used], at_once=True)
    assert {each.name for each in tmp_path.iterdir()} == {used, "notes"}
