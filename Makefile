# `make run` and `make test` are all that a fresh machine needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Each process has a half of the tests to begin with: the recordings of a file are then made once.
SHARED := -n 2 --dist worksteal

CATALOGS := $(wildcard tutor/locale/*/LC_MESSAGES/gradtutor.po)
COMPILED := $(CATALOGS:.po=.mo)
TEMPLATE := tutor/locale/gradtutor.pot

# For `make fuzz`: how long each of its rows takes, and what it draws by.
SECONDS ?= 60
SEED ?= 0

.PHONY: run test test-all lint messages bench fuzz fuzz-programs compat clean

run: $(STAMP) $(COMPILED)
	@$(BIN)/gradtutor $(ARGS)

# Both processes and all commands that they start import what is compiled once, whatever the environment says.
test test-all: export PYTHONDONTWRITEBYTECODE =

test: $(STAMP) $(COMPILED)
	$(BIN)/pytest $(SHARED) $(ARGS)

# All that the tests generate, of which `make test` runs a sample.
test-all: $(STAMP) $(COMPILED)
	$(BIN)/pytest $(SHARED) --all $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Collects the texts of the interface in the catalogs, where a translator finds the new ones empty.
messages: $(STAMP)
	$(BIN)/python -m babel.messages.frontend --quiet extract --mapping-file pyproject.toml --no-location --sort-output \
	  --output-file $(TEMPLATE) .
	$(BIN)/pybabel --quiet update --domain gradtutor --input-file $(TEMPLATE) --output-dir tutor/locale --width 120 \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date $(ARGS)
	@rm -f $(TEMPLATE)

%.mo: %.po | $(STAMP)
	$(BIN)/pybabel --quiet compile --domain gradtutor --directory tutor/locale

# Measures, and writes the table of docs/benchmarks.md; `make bench ARGS="recording keys"` a part of it.
bench: $(STAMP) $(COMPILED)
	$(BIN)/python -m tests.bench --write $(ARGS)

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

# One environment for all of it; a second time costs nothing. Pip would compile on one core; some files never compile.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  is=`$(PYTHON) --version 2>/dev/null || echo not there`; \
	  echo "gradtutor needs Python 3.11 or newer, and '$(PYTHON)' is $$is."; \
	  echo "Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; } >&2
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing PyTorch and the other packages that gradtutor needs into $(VENV). This takes some minutes, once."
	@if [ "`uname`" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
	  echo "No GPU seems to be here: PyTorch's build for the CPU is far smaller. To take it, stop this and run"; \
	  echo "  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make $(MAKECMDGOALS)"; fi
	@quiet=; [ -t 1 ] || quiet=--quiet; \
	  $(BIN)/python -m pip install $$quiet --disable-pip-version-check --no-compile -e '.[dev]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
