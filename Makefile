# Two commands on a fresh machine: `make demo` and `make test`. Needs python3 (3.11 or newer), nothing else.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --quiet --disable-pip-version-check --require-hashes
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --extra build

.PHONY: help demo test lint types imports check bench lock clean

help:  ## Show this list.
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/ready  ## One request from beginning to end, against pretend vendors on this machine.
	@$(BIN)/erasure demo $$(test -t 0 && echo --wait)

test: .venv/ready-dev  ## The whole test suite.
	$(BIN)/python -m pytest

lint: .venv/ready-dev  ## Style and common faults.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready-dev  ## Types, strictly.
	$(BIN)/mypy

imports: .venv/ready-dev  ## Who may import whom.
	$(BIN)/lint-imports

check: lint types imports test  ## Everything that CI runs.

bench: .venv/ready-dev  ## Requests per second, CPU and memory, beside two floors; writes nothing into the tree.
	$(BIN)/python -m bench

lock: .venv/ready-dev  ## Write the hashed lock files anew.
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --output-file requirements-dev.lock

clean:  ## Remove the environment and all local state.
	rm -rf .venv var build *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("python3 must be 3.11 or newer; name another one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "creating .venv"
	@$(PYTHON) -m venv .venv

.venv/ready: requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing from requirements.lock"
	@$(PIP) -r requirements.lock
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/ready-dev: requirements-dev.lock .venv/ready
	@echo "installing from requirements-dev.lock"
	@$(PIP) -r requirements-dev.lock
	@touch $@
