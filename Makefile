# Everything a newcomer needs; `make help` lists it. Only Python >= 3.11 and make must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

# Python keeps what it compiled, whatever the environment says: a worker else compiles for 3 s at every start.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check coverage bench bench-quick browser soak client lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# pip brings uv, uv brings the rest: each package as its lock names it, by hash, with nothing resolved or built.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ibflow needs Python 3.11 or newer; name one with PYTHON=/path/to/python3.11"; exit 2; }
	@case "$$($(PYTHON) -c 'import platform; print(platform.system(), platform.machine())')" in \
		"Linux x86_64" | "Darwin arm64") ;; \
		*) echo "ibflow installs on Linux x86-64 and macOS on Apple silicon; elsewhere: docker compose up"; exit 2 ;; \
	esac
	@started=$$(date +%s); test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r locks/uv.txt && \
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --no-build $(1) && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . && \
	touch $@ && echo "installed into $(VENV) in $$(($$(date +%s) - started)) s"
endef

# What `make test` installed stays: the demo takes nothing away.
$(RUN): pyproject.toml locks/uv.txt locks/run.txt
	$(call install,locks/run.txt $(if $(wildcard $(DEV)),locks/dev.txt))

$(DEV): pyproject.toml locks/uv.txt locks/run.txt locks/dev.txt
	$(call install,locks/run.txt locks/dev.txt)
	@touch $(RUN)

demo: $(RUN) ## Run a synthetic broker through the whole pipeline and show who is owed what
	@$(BIN)/ibflow demo

test: $(DEV) ## Run every test, on real Kafka and ClickHouse
	@$(BIN)/python -m pytest -n auto --durations=10

check: $(DEV) ## Format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_architecture.py

# Without the laws and the oracle: what only a random broker reaches has no test yet.
coverage: $(DEV) ## Hold commission/ to every statement and branch, by tests worked out by hand
	@$(BIN)/python -m pytest tests/commission tests/test_golden_rules.py --ignore-glob='*/test_laws*' \
		--cov=commission --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

bench: $(DEV) ## Measure: deals per second of the fold and from file to ledger
	@$(BIN)/python -m tests.bench

bench-quick: $(DEV) ## Compare what a deal costs with the kept table, in a minute (ARGS=--keep writes it)
	@$(BIN)/python -m tests.bench_quick $(ARGS)

browser: $(DEV) ## Walk every page in a real Chromium, in both sizes and schemes
	@IBFLOW_BROWSER=full $(BIN)/python -m pytest -n0 tests/api/test_browser.py tests/api/test_browser_roles.py

soak: $(DEV) ## Kill, pause, cut off and fill up at random for an hour; compare with an undisturbed run
	@$(BIN)/python -m pytest -s -m soak tests/chaos tests/api

client: $(DEV) ## Write examples/client anew from the app's OpenAPI
	@$(BIN)/python -m examples.client.generate

# The second lock holds only what the first does not.
lock: $(DEV) ## Pin the newest versions that pyproject.toml allows (maintainers)
	@$(COMPILE) --group build -o locks/run.txt pyproject.toml
	@$(COMPILE) --group dev -c locks/run.txt -o locks/dev.txt pyproject.toml \
		$$(sed -nE 's/^([a-z0-9._-]+)(\[[^]]*\])?==.*/--no-emit-package \1/p' locks/run.txt)
	@$(COMPILE) --group pyproject.toml:tools -o locks/uv.txt
	@for rival in quix arroyo pathway; do $(COMPILE) --group pyproject.toml:$$rival -o locks/$$rival.txt || exit; done

clean: ## Remove the virtual environment and what was built; data folders stay
	@rm -rf $(VENV) dist build .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
