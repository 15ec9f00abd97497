"""What is pushed: a request in, an event out. One file per source."""
