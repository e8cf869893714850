# Every target works alone on a fresh machine with Python 3.11 or newer, make and the network.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= 2
LOCK = uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet

export PATH := $(CURDIR)/.tools/usr/bin:$(PATH)

.PHONY: help run test check bench chaos services docs lock

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

run: $(READY) ## Set up, then show the demo (Ctrl-C ends it)
	$(BIN)/angarium demo

test: $(READY) ## Set up, then run every test and every check
	scripts/promtool
	$(BIN)/pytest -n $(WORKERS) -m "not chaos"
	$(MAKE) --no-print-directory check

check: $(READY) ## Lint, format, types, imports, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

bench: $(READY) ## Measure, each figure beside its reference
	$(BIN)/python -m benchmarks

chaos: $(READY) ## The long tests that kill and starve the processes
	$(BIN)/pytest -n 0 -m chaos --timeout 600 tests/e2e

services: ## Say which servers the stores need, and whether they are there
	@echo "broker, state, database: SQLite files under data/; no server is needed"
	@promtool --version 2>/dev/null | sed -n '1s/^/promtool (tests of the metrics): /p' \
		|| echo "promtool (tests of the metrics): not found; scripts/promtool fetches it"

docs: $(READY) ## Write the reference pages from the code, then check all pages
	$(BIN)/python docs/generate.py
	$(BIN)/pytest tests/test_docs.py

lock: $(READY) ## Renew requirements.lock (UPGRADE=1 takes the newest versions)
	PATH="$(BIN):$$PATH" $(LOCK) $(if $(UPGRADE),--upgrade) --output-file requirements.lock

$(READY): pyproject.toml requirements.lock scripts/setup
	scripts/setup
	@touch $@
