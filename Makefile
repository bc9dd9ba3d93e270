# `make demo` and `make test` set up everything they need in a virtual environment of
# their own; nothing but Python >= 3.11 has to be there. Both can be run again at once.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
DATA ?= ../shared/data
LOWEST = .venv-lowest

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit notebooks soak test-lowest bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "lc_costkit needs Python >= 3.11; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade 'pip>=25.1'
	@$(INSTALL) --editable '.[all]' --group dev
	@touch $@

demo: $(VENV)/.ready ## what the kit would save on real questions: no key, no server
	@$(BIN)/costkit demo

test: lint types unit notebooks ## everything CI runs

lint: $(VENV)/.ready ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready ## mypy --strict
	$(BIN)/mypy

unit: $(VENV)/.ready ## tests, doctests and README examples
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not soak"

notebooks: $(VENV)/.ready ## run every notebook
	$(BIN)/python -m pytest -n 2 --nbmake --nbmake-timeout=180 -o addopts="" notebooks

soak: $(VENV)/.ready ## what takes longer: a hundred kills and the like
	$(BIN)/python -m pytest -m soak

# The oldest frameworks warn about today's pydantic; those warnings are theirs.
test-lowest: $(LOWEST)/.ready ## the tests on the oldest supported frameworks
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadgroup -m "not soak" -o filterwarnings=default

$(LOWEST)/.ready: pyproject.toml tests/lowest-constraints.txt
	@$(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev --constraint tests/lowest-constraints.txt
	@touch $@

bench: $(VENV)/.ready ## every benchmark on the measurement data in DATA
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script --data $(DATA) || exit 1; done

clean: ## remove the environments and caches
	rm -rf $(VENV) $(LOWEST) .pytest_cache .mypy_cache .ruff_cache
