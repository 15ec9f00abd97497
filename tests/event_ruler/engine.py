"""AWS' own event-ruler, asked for many verdicts at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]


def verdicts(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """`match`, `nomatch` or `invalid` for each (pattern, event). One JVM for all of them."""
    home = _home()
    answered = subprocess.run(
        # The empty hosts file keeps Java from asking the network about names that look like addresses.
        [
            "java",
            "-Djdk.net.hosts.file=/dev/null",
            "-XX:+UseSerialGC",
            "-cp",
            f"{home}/classes:{home}/lib/*",
            "Verdicts",
        ],
        input="".join(f"{pattern}\t{event}\n" for pattern, event in pairs),
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=True,
    )
    return answered.stdout.split()


def _home() -> Path:
    """Skips the test on a laptop without event-ruler, fails it in CI."""
    home = _REPOSITORY / os.environ.get("EVENTMAP_SERVERS", ".servers") / "event-ruler"
    if shutil.which("java") and (home / "classes" / "Verdicts.class").exists():
        return home
    missing = f"no java, or no event-ruler in {home}: run tests/event_ruler/install.sh {home.parent}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
