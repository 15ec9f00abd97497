# `make check` is what CI runs, in an environment where `pip install -e '.[test]'` was run.
BIN := $(if $(wildcard .venv/bin/python),.venv/bin/,)

.PHONY: check lint types imports test servers format

check: lint types imports test

lint:
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types:
	$(BIN)mypy

imports:
	$(BIN)lint-imports

test:
	$(BIN)pytest

servers: ## the servers some tests run against; without them those tests are skipped
	tests/servers/install.sh

format:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .
