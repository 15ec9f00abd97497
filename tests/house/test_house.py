"""What a machine can hold about the code itself, no reviewer has to."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
SOURCES = sorted((REPOSITORY / "eventmap").rglob("*.py"))
LONGEST_FILE_LINES = 400
LONGEST_FUNCTION_LINES = 50

GENERATED = {"__pycache__", "build", "dist", "node_modules"}
BELONGS_TO_THE_PROJECT = {".ci", ".github"}  # the hidden folders that do

# Which registry serves a machine is that machine's business: its pip, npm and mvn are configured for one.
REGISTRY_HOST = re.compile(
    r"\b(?:pypi|test\.pypi|files\.pythonhosted|proxy\.golang|(?:www\.)?npmjs)\.(?:org|com)\b"
    r"|\b(?:repo1?|search|central)\.(?:maven(?:\.apache)?|sonatype)\.(?:org|com)\b"
    r"|\b(?:docker|ghcr|quay|gcr)\.io\b|\bpublic\.ecr\.aws\b"
    r"|://(?:registry|pypi|npm|proxy|mirror|nexus|artifactory)\b"
    r"|--(?:extra-)?index-ur[l]|--registr[y]"
)
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")


@pytest.mark.timeout(300)  # mypy's first run on a machine, without its cache
@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-m", "ruff", "check", "."], id="ruff check"),
        pytest.param([sys.executable, "-m", "ruff", "format", "--check", "."], id="ruff format"),
        pytest.param([sys.executable, "-m", "mypy"], id="mypy --strict"),
        pytest.param([str(SCRIPTS / "lint-imports")], id="import-linter"),
    ],
)
def test_checker_is_clean(command: list[str]) -> None:
    """Style, types and the direction of imports hold everywhere, as pyproject.toml states them."""
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_file_is_long() -> None:
    """One file, one concept: at most 400 lines."""
    lengths = {_name(path): len(path.read_text().splitlines()) for path in SOURCES}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE_LINES} == {}


def test_no_function_is_long() -> None:
    """A function is read in one screen: at most 50 lines."""
    lengths = {f"{_name(path)}:{name}": lines for path in SOURCES for name, lines in _functions(path)}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION_LINES} == {}


def test_nothing_is_left_unfinished() -> None:
    """What is not decided becomes an issue, not a marker in the code."""
    assert _matches(UNFINISHED, SOURCES) == []


def test_no_file_names_a_package_registry() -> None:
    """A clone installs from whatever registries its machine is configured for."""
    assert _matches(REGISTRY_HOST, _project_files()) == []


@pytest.mark.parametrize(
    "text",
    [
        "https://" + "pypi." + "org/simple",
        "registry=https:" + "//registry.example/",
        "<url>https://repo" + ".maven.apache.org/maven2</url>",
        "image: ghcr" + ".io/owner/name",
        "pip install --index" + "-url x",
    ],
)
def test_registry_pattern_knows_the_usual_ones(text: str) -> None:
    """The rule above can fail."""
    assert REGISTRY_HOST.search(text)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _project_files() -> list[Path]:
    """Every text file of the project, whether or not git knows it yet."""
    files = []
    for folder, subfolders, names in os.walk(REPOSITORY):
        subfolders[:] = [
            name
            for name in subfolders
            if name in BELONGS_TO_THE_PROJECT or not (name.startswith(".") or name in GENERATED)
        ]
        files += [Path(folder, name) for name in names]
    return files


def _matches(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()
