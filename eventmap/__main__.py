"""`python -m eventmap` is the `eventmap` command."""

from eventmap.cli import main

main()
