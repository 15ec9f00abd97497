"""The documentation is true: its Python runs, its tests pass, its tables are complete."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventmap import telemetry
from eventmap.delivery.statistics import Statistics
from eventmap.function import Function
from eventmap.mapping import EventSourceMapping

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
TESTED_ELSEWHERE = {"testing.md": "tests/testing/test_plugin.py", "filtering.md": "tests/rules/test_filtering.py"}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


SNIPPETS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    if page.name not in TESTED_ELSEWHERE
    for number, block in enumerate(blocks(page, "python"), 1)
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_every_python_snippet_runs(snippet: str, tmp_path: Path) -> None:
    """A snippet that defines tests is run by pytest, any other as a script; both in a folder of their own."""
    holds_tests = "def test_" in snippet
    file = tmp_path / ("test_snippet.py" if holds_tests else "snippet.py")
    file.write_text(snippet)
    program = (
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
        if holds_tests
        else [
            sys.executable,
            str(file),
        ]
    )

    ended = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_pages_tested_elsewhere_are() -> None:
    """An exception in the list above names the file that runs the page's blocks."""
    for page, test_file in TESTED_ELSEWHERE.items():
        assert page in (ROOT / test_file).read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """Relative links name files that exist."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())

    missing = [link for link in links if not (page.parent / link).exists()]

    assert missing == []


def documented(page: str) -> set[str]:
    return set(re.findall(r"`([a-z_.]+)`", (ROOT / page).read_text()))


def test_every_log_event_is_documented_and_told_by_someone() -> None:
    """docs/operating.md lists what operators may see; a name nobody tells is not kept."""
    names = {name: value for name, value in vars(telemetry).items() if name.isupper() and isinstance(value, str)}
    sources = "".join(path.read_text() for path in ROOT.glob("eventmap/**/*.py"))

    assert sorted(set(names.values()) - documented("docs/operating.md")) == []
    assert [name for name in names if f"telemetry.{name}" not in sources] == []


def test_every_counter_is_documented() -> None:
    """docs/operating.md explains every counter of `Statistics`."""
    counters = {field.name for field in dataclasses.fields(Statistics)}

    assert sorted(counters - documented("docs/operating.md")) == []


def test_every_setting_of_our_own_is_documented() -> None:
    """Settings marked as ours in their docstrings stand in docs/operating.md."""
    own = set()
    for declared in (Function, EventSourceMapping):
        source = Path(sys.modules[declared.__module__].__file__ or "").read_text()
        own |= set(re.findall(r'^    (\w+):[^\n]*\n    """Our own setting', source, re.MULTILINE))

    assert own
    assert sorted(own - documented("docs/operating.md")) == []
