"""`--watch`: new code for the next invocations as soon as a Python file is saved."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass

import anyio

from eventmap.cli.config_file import ConfigFile
from eventmap.cli.emulated import localized
from eventmap.cli.failure import describe
from eventmap.cli.output import Output
from eventmap.cli.place import Place
from eventmap.cli.plan import Plan, make_plan
from eventmap.cli.run_options import RunOptions
from eventmap.errors import ConfigurationError, EventmapError
from eventmap.service import Running

_DEBOUNCE_MS = 200  # an editor that goes on writing is waited for so long at most
_STEP_MS = 30  # no change for so long: the save is complete


def check_watching() -> None:
    """Raises: ConfigurationError if what watches files is not installed."""
    if importlib.util.find_spec("watchfiles") is None:
        raise ConfigurationError("--watch needs watchfiles, which is not installed: pip install 'eventmap[local]'")
    # Compiled code is recognised by whole seconds and size: a second save within one would go unnoticed.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@dataclass(frozen=True, slots=True)
class Watched:
    """A running service and what it was made from."""

    options: RunOptions
    config: ConfigFile
    place: Place
    plan: Plan
    running: Running


async def watch(watched: Watched, output: Output, ended: anyio.Event) -> None:
    """Reload on every change in the plan's folders until `ended`. Code that does not import changes nothing."""
    from watchfiles import PythonFilter, awatch

    folders = watched.plan.folders
    output.tell(f"watching {_shown(folders)}")
    # The event ends its thread at once, which being cancelled would not.
    changes = awatch(*folders, watch_filter=PythonFilter(), debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=ended)
    async for change in changes:
        await _reload(watched, output, _shown(path for _, path in change))


async def _reload(watched: Watched, output: Output, names: str) -> None:
    try:
        fresh = await make_plan(watched.options, watched.config)
    except EventmapError as error:
        output.tell(f"{names} changed, but cannot be used; the old code goes on\n{describe(error)}")
        return
    if (localized(fresh, watched.place) if watched.place.is_local else fresh).declaration != watched.plan.declaration:
        output.tell("functions or mappings have changed: restart to apply that; their new code runs already")
    watched.running.reload()
    output.tell(f"reloaded: {names} changed")


def _shown(paths: Iterable[str]) -> str:
    return ", ".join(sorted({os.path.relpath(path) for path in paths}))
