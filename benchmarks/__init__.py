"""How fast eventmap is: one file per figure. `python -m benchmarks --help`; docs/performance.md says what they mean."""
