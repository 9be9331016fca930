# Everything here works from a fresh clone with Python 3.11 or newer, pip and make. Each target makes
# the virtual environment that it needs, under .venv/, and a second call finds it ready.

PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv/$(VERSION)
DEV := $(VENV)-dev/bin

# The versions that `make test-all` runs the tests with.
VERSIONS ?= 3.11 3.12 3.13

# The core, which is all that `Conductor` and `run` load and the test kit, has every line and branch
# tested. The rooms above touch other people's libraries, processes and the outside world: they count
# in the coverage of everything, which has a threshold of its own.
ROOMS := servers/* web/* demo/* loading/* cli/* __main__.py observers/* _launch/* \
	players/_*.py players/process.py players/_process/* players/_command/output.py
EMPTY :=
COMMA := ,
NOT_CORE := $(subst $(EMPTY) $(EMPTY),$(COMMA),$(ROOMS:%=*/orchestra/%))
# The goal is 100, and what only a race of threads reaches must not decide over a change.
CORE_COVERAGE := 99.9
WHOLE_COVERAGE := 97

# For `make test`: what else to tell pytest, as in `make test ARGS="-k conductor"`.
ARGS ?=

# What the type checkers look at.
TYPED := src $(wildcard tests/typing)

# No word about newer versions: constraints.txt says which one we use.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format bench docs clean dev
MAKEFLAGS += --no-print-directory

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-10s %s\n", $$1, $$2 }'

demo: ## play the demo until Ctrl-C (STUCK=1: with a stuck player; DEMO_SECONDS=5: by itself)
	@$(PYTHON) scripts/venv demo >/dev/null
	@$(VENV)-demo/bin/python -m orchestra.demo

dev: ## prepare the environment for development, and print where it is
	@$(PYTHON) scripts/venv dev

test: ## run the tests with coverage, on this Python
	@$(PYTHON) scripts/venv dev >/dev/null
	@scripts/system-packages
	@rm -rf .coverage-data
	@$(DEV)/coverage run -m pytest $(ARGS)
	@$(DEV)/coverage combine --quiet
ifeq ($(ARGS),)
	@echo "Coverage of the core:"
	@$(DEV)/coverage report --omit='$(NOT_CORE)' --fail-under=$(CORE_COVERAGE)
	@echo "Coverage of everything:"
	@$(DEV)/coverage report --fail-under=$(WHOLE_COVERAGE)
else
	@$(DEV)/coverage report
endif

test-all: ## run the tests on every supported Python that is found here
	@PYTHON=$(PYTHON) MAKE=$(MAKE) scripts/test-all $(VERSIONS)

check: ## formatting, lint, types, floors, exported names
	@$(PYTHON) scripts/venv dev >/dev/null
	$(DEV)/ruff format --check --quiet .
	$(DEV)/ruff check --quiet .
	$(DEV)/mypy --strict $(TYPED)
	$(DEV)/pyright --pythonpath $(DEV)/python
	$(DEV)/lint-imports --no-logo
	$(DEV)/python scripts/check_exports

format: ## put the code into its form, and mend what lint can mend
	@$(PYTHON) scripts/venv dev >/dev/null
	$(DEV)/ruff check --fix --quiet . || true
	$(DEV)/ruff format .

bench: ## compare with bare asyncio and with the peers
	@$(PYTHON) scripts/venv bench >/dev/null
	@$(VENV)-bench/bin/python benchmarks/bench.py $(ARGS)

docs: ## build the documentation into site/
	@$(PYTHON) scripts/venv docs >/dev/null
	@$(VENV)-docs/bin/sphinx-build --fail-on-warning --keep-going --quiet --fresh-env \
		--builder html --doctree-dir .venv/doctrees docs site
	@echo "site/index.html"

clean: ## remove everything that was made, the environments too
	rm -rf .venv site build dist .coverage-data .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
