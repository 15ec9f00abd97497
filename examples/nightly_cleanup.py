"""A nightly clean-up: files that nobody has touched for thirty days go, every night at three, Berlin time.

FOLDER=uploads eventmap run examples.nightly_cleanup:app

Running twice removes nothing twice, and a night that was slept through is made up for once: what is too old today was
too old yesterday.
"""

import os
import time
from pathlib import Path

from eventmap import App

KEPT_S = 30 * 86_400

app = App()


@app.schedule("cron(0 3 * * ? *)", schedule_expression_timezone="Europe/Berlin", misfire="once")
@app.function(timeout=300)
def clean_up(event, context):
    """Remove what is too old, and say how much that was."""
    removed = remove_old(Path(os.environ.get("FOLDER", "uploads")), time.time() - KEPT_S)
    print(f"removed {removed} files")
    return removed


def remove_old(folder, before):
    """How many regular files directly in `folder` were last changed before an epoch time, and are gone now."""
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
