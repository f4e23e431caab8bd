# Each target sets up .venv by itself; nothing but Python 3.11 and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test fast matrix check bench tables lock clean

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "margind needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY)  ## under a minute: sandbox venues, the real daemon, a falling market, and what it saved
	@$(BIN)/margind demo

test: $(READY)  ## every ring
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal --show-capture=no -m "not alone" tests
	@$(BIN)/python -m pytest -q --show-capture=no -m alone tests

fast: $(READY)  ## the everyday ring: no processes, no servers
	@MARGIND_EVERYDAY=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not wire and not process and not postgres" tests

matrix: $(READY)  ## every fault at every call of every product, into var/fault-matrix.md: a quarter of an hour
	@MARGIND_MATRIX=whole $(BIN)/python -m pytest -q -n 2 --dist worksteal tests/daemon/matrix

check: $(READY)  ## ruff, mypy strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)  ## ratios against plain ccxt, measured in this run
	@$(BIN)/python -m tests.bench

tables: $(READY)  ## what each product can do, written into README.md and docs/venues.md
	@$(BIN)/python -m tests.tables

lock:  ## refresh requirements.lock (needs uv)
	@uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements.lock

clean:
	@rm -rf $(VENV) var
