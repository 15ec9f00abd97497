from __future__ import annotations

import re
from pathlib import Path

import pytest

from eventmap.rules.events import KINDS
from tests.cli.command import REPOSITORY, eventmap

DOCUMENT = (REPOSITORY / "docs/cli.md").read_text()
CHECKPOINT = [["set"], ["reset"]]
EVENTS = [[], ["retry"], ["drop"]]
EVENT = [["kinds"], *([kind.name] for kind in KINDS)]
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]+|-[a-z])\b")
OF_OTHERS = re.compile(r"^aws .*\n", re.MULTILINE)  # commands whose options are none of ours


def section_of(command: str) -> str:
    [section] = re.findall(rf"^## eventmap {command}\n(.*?)(?=^## |\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
    return OF_OTHERS.sub("", section)


@pytest.mark.parametrize("command", ["run", "serve", "send", "publish", "invoke", "match", "streams", "replay"])
def test_every_option_of_every_command_is_documented(command: str, folder: Path) -> None:
    """Its section of docs/cli.md names each option --help does, and none that does not exist."""
    section = section_of(command)
    shown = eventmap(command, "--help", cwd=folder)

    offered = set(OPTION.findall(shown.stdout.partition("Options:")[2])) - {"--help"}
    assert offered
    assert offered <= set(OPTION.findall(section))
    assert {each for each in OPTION.findall(section) if each.startswith("--")} <= offered


@pytest.mark.parametrize(
    ("group", "commands", "some"),
    [
        ("checkpoint", CHECKPOINT, {"--shard", "--yes", "-y", "--force"}),
        ("events", EVENTS, {"--state", "--all", "--yes", "-y", "--events"}),
        ("schedule", [["next"]], {"--count", "--timezone", "--from"}),
        ("event", EVENT, {"--of", "--json", "--body", "--detail-type", "--seed"}),
    ],
)
def test_every_option_of_a_group_of_commands_is_documented(
    group: str, commands: list[list[str]], some: set[str], folder: Path
) -> None:
    """They share a section, and no option there is unknown to all of them."""
    section = section_of(group)
    shown = [eventmap(group, *each, "--help", cwd=folder).stdout.partition("Options:")[2] for each in commands]

    offered = set(OPTION.findall("".join(shown))) - {"--help"}
    assert some <= offered
    assert offered <= set(OPTION.findall(section))
    assert {each for each in OPTION.findall(section) if each.startswith("--")} <= offered
    assert all(f"`{group} {name}" in section for [name] in filter(None, commands))


def test_every_command_is_documented(folder: Path) -> None:
    """`eventmap --help` offers nothing docs/cli.md does not have a section for."""
    shown = eventmap("--help", cwd=folder).stdout.partition("Commands:")[2]

    commands = {line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line.strip()}
    assert commands == set(re.findall(r"^## eventmap (\w+)$", DOCUMENT, re.MULTILINE))
    assert "`eventmap --version`" in DOCUMENT
