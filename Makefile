# Everything a person types; `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Three a core: tests wait for processes, servers and timers half of the time.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 1))')
UPGRADE ?= --upgrade
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-strip-extras $(UPGRADE)

# Temporary files in memory, if it has a gigabyte for them: a fourth of a run was waiting for the disk.
MEMORY := $(shell [ "$$(df -k /dev/shm 2>/dev/null | awk 'END { print int($$4) }')" -gt 1000000 ] && echo /dev/shm)

# Some images set it: each process would compile anew all that it imports, half a minute in a run.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help chat test test-all chaos check format migration lock bench pictures clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

chat: $(VENV)/.runs ## talk to an agent in the terminal, without any key or token
	@$(BIN)/moorings chat $(ARGS)

test: $(VENV)/.develops ## run the whole test suite on SQLite; its last lines say what was skipped
	$(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-all: ## the suite with PostgreSQL and MariaDB on their standard ports (see docs/CONTRIBUTING.md)
	MOORINGS_TEST_POSTGRES="$${MOORINGS_TEST_POSTGRES:-postgres://postgres@127.0.0.1/test}" \
	MOORINGS_TEST_MYSQL="$${MOORINGS_TEST_MYSQL:-mysql://root:@127.0.0.1/test}" \
	$(MAKE) test

chaos: $(VENV)/.develops ## kill bots and replicas hundreds of times, deploy, restart servers, try thousands of inputs; takes 20 minutes
	$(BIN)/pytest -m "(chaos or hypothesis) and not alone" --hypothesis-profile thorough -n $(WORKERS) --dist worksteal -rP $(ARGS)
	$(BIN)/pytest -m "chaos and alone" -rP $(ARGS)

check: $(VENV)/.develops ## format, lint, types, import contracts, dependencies, layout: what CI holds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy bots core storage tests benchmarks
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pytest -q tests/test_layout.py

format: $(VENV)/.develops ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

migration: $(VENV)/.develops ## write a migration for what changed in storage/models.py: make migration NAME=add_x
	$(BIN)/tortoise makemigrations $(if $(NAME),--name $(NAME))

lock: $(VENV)/.develops ## pin the newest allowed versions in requirements*.txt, with hashes; UPGRADE= keeps those that fit
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

bench: $(VENV)/.develops ## run the benchmarks; they print ratios
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

pictures: $(VENV)/.develops ## make the pictures of docs/pictures anew, from real runs; needs chromium and an emoji font
	$(BIN)/python -m tests.pictures

clean: ## remove the environment and all caches, no data
	rm -rf $(VENV) .venv-* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Moorings needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	@echo "making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.develops: requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing for development (once) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@$(BIN)/pytest --collect-only -q >/dev/null || true  # compiles the tests: else each worker would
	@touch $@ $(VENV)/.runs
