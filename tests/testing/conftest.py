"""Load the plugin as an installed eventmap would by itself."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.has_plugin("eventmap"):
        config.pluginmanager.import_plugin("eventmap.testing.plugin")
