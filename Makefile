# Everything is set up in .venv by itself; nothing outside this directory is changed.

VENV    := .venv
PYTHON  := $(VENV)/bin/python
READY   := $(VENV)/.ready
DEV     := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast check bench docs format clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## the whole loop on this machine: build, train, kill, recover, serve, scale to zero, wake
	$(PYTHON) examples/tiny-gpt/demo.py

test: $(DEV) ## every test, the demonstration with fewer steps included
	$(PYTHON) -m pytest -q -n 2 --dist loadfile -m "not slow"
	$(PYTHON) -m pytest -q -m "slow"

test-fast: $(DEV) ## the tests that start no processes
	$(PYTHON) -m pytest -q -n 2 --dist loadfile -m "not slow"

check: $(DEV) ## style, types, layers, house rules
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sh tools/check.sh

bench: $(DEV) ## the figures, as a table and as JSON in benchmarks/results
	$(PYTHON) -m benchmarks

docs: $(DEV) ## write the reference pages anew from the code
	$(PYTHON) tools/reference.py

format: $(DEV) ## format the code
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean: ## take away what was set up and made here
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(PYTHON):
	@sh tools/venv.sh $(VENV)

$(READY): pyproject.toml | $(PYTHON)
	$(PYTHON) -m pip install --quiet --upgrade "pip>=25.1"
	$(PYTHON) -m pip install --quiet --editable . --group demo
	@touch $(READY)

$(DEV): pyproject.toml $(READY)
	$(PYTHON) -m pip install --quiet --editable . --group dev --group demo
	@touch $(DEV)
