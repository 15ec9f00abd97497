"""The APIs by which other tools change what a service runs: its mappings and its functions."""
