# Everything is set up in .venv by itself, again when pyproject.toml changes; nothing outside this directory is changed.
# PYTHON=python3.12 make ... says which Python to take.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
DEV   := $(VENV)/.ready-dev

# A virtual environment whose Python has gone (an upgrade, a moved folder) is made anew.
$(shell test -x $(BIN)/python || rm -f $(READY) $(DEV))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast check bench docs format clean

help: ## say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(DEV) ## install gigawatt and its tools into .venv

demo: $(READY) ## show the whole loop: build, train, kill, recover, serve, scale to zero, wake
	@$(BIN)/python examples/tiny-gpt/demo.py

test: $(DEV) ## run every test, the demonstration with fewer steps included
	@status=0; \
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" || status=1; \
	$(BIN)/python -m pytest -q -m slow || status=1; \
	exit $$status

test-fast: $(DEV) ## run the tests that start no processes
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

check: $(DEV) ## check format, lint, types, layers, house rules and change fragments
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/check.sh

bench: $(DEV) ## measure: a table, and JSON in benchmarks/results
	$(BIN)/python -m benchmarks

docs: $(DEV) ## write the reference pages anew from the code
	$(BIN)/python tools/reference.py

format: $(DEV) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what was set up and made here
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@sh tools/venv.sh $(VENV)

$(READY): pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group demo
	@touch $(READY)

$(DEV): $(READY)
	@echo "installing the tools for tests and checks"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --group demo
	@touch $(DEV)
