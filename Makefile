# `make run` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Each process has a half of the tests to begin with: the recordings of a file are then made once.
SHARED := -n 2 --dist worksteal

# For `make fuzz`: how long each of its rows takes, and what it draws by.
SECONDS ?= 60
SEED ?= 0

.PHONY: run test test-all lint bench fuzz fuzz-programs compat clean

run: $(STAMP)
	@$(BIN)/gradtutor $(ARGS)

test: $(STAMP)
	$(BIN)/pytest $(SHARED) $(ARGS)

# All that the tests generate, of which `make test` runs a sample.
test-all: $(STAMP)
	$(BIN)/pytest $(SHARED) --all $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

# Random programs, recorded and compared with plain runs: `make fuzz-programs N=300 SEED=1`.
N ?= 300
fuzz-programs: $(STAMP)
	$(BIN)/python -m tests.worker.fuzz_programs $(N) $(SEED) $(ARGS)

# Tries what may go wrong, and writes the table of docs/reliability.md.
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --seed $(SEED) --write $(ARGS)

# With each Python and torch that the README promises; some gigabytes each. COMPAT=DIR has environments, or gets them.
COMPAT ?= .compat
compat: $(STAMP)
	$(BIN)/python -m tests.compat --folder $(COMPAT) $(ARGS)

# One environment for all of it; a second time costs nothing.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  is=`$(PYTHON) --version 2>/dev/null || echo not there`; \
	  echo "gradtutor needs Python 3.11 or newer, and '$(PYTHON)' is $$is."; \
	  echo "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
