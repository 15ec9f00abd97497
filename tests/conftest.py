"""Fixtures every folder of tests may ask for, and how patient property tests are."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures"]

# An example that takes long on a busy machine says nothing about the code.
settings.register_profile("busy-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy-machine")
