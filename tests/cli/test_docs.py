from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import REPOSITORY, eventmap

DOCUMENT = (REPOSITORY / "docs/cli.md").read_text()
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+|-[a-z])\b")


@pytest.mark.parametrize("command", ["run", "send", "invoke", "match"])
def test_every_option_of_every_command_is_documented(command: str, folder: Path) -> None:
    """Its section of docs/cli.md names each option --help does, and none that does not exist."""
    [section] = re.findall(rf"^## eventmap {command}\n(.*?)(?=^## |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
    shown = eventmap(command, "--help", cwd=folder)

    offered = set(OPTION.findall(shown.stdout.partition("Options:")[2])) - {"--help"}
    assert offered
    assert offered <= set(OPTION.findall(section))
    assert {each for each in OPTION.findall(section) if each.startswith("--")} <= offered


def test_every_command_is_documented(folder: Path) -> None:
    """`eventmap --help` offers nothing docs/cli.md does not have a section for."""
    shown = eventmap("--help", cwd=folder).stdout.partition("Commands:")[2]

    commands = {line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line.strip()}
    assert commands == set(re.findall(r"^## eventmap (\w+)$", DOCUMENT, re.MULTILINE))
    assert "`eventmap --version`" in DOCUMENT
