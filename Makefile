# make demo and make test need only python3 (3.11 or newer): both make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --constraint constraints.txt

.PHONY: help demo test lint clean

help:
	@echo "make demo    learn and check a model of handwritten digits; report in ghmpp-demo/"
	@echo "make test    run the tests"
	@echo "make lint    check style, types and imports"
	@echo "make clean   remove the environment and all caches"
	@echo
	@echo "Each makes the environment $(VENV) first, if it is not there."
	@echo "Another Python: make test PYTHON=python3.12"

demo: $(VENV)/installed
	@$(BIN)/ghmpp demo

test: $(VENV)/installed
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and \
	'ghmpp needs Python 3.11 or newer, this is ' + sys.version.split()[0] + \
	'; name another one, such as: make PYTHON=python3.12')"
	@echo "Making the environment $(VENV): torch, pgmpy and the rest, about 1.5 GB (1 to 3 minutes)."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable ".[test]"
	@touch $@

$(VENV)/installed-lint: $(VENV)/installed
	@echo "Adding ruff, mypy and import-linter to $(VENV)."
	@$(PIP) --editable ".[lint]"
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .benchmarks .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find ghmpp tests tutorials -name __pycache__ -type d -exec rm -rf {} +
