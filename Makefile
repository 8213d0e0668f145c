# Everything a newcomer needs; `make help` lists it. Only Python >= 3.11 and make must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Python keeps what it compiled, whatever the environment says: a worker else compiles for 3 s at every start.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check coverage bench soak lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

# Pinned versions with hashes first, then the project itself without touching them.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ibflow needs Python 3.11 or newer; name one with PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## Run a synthetic broker through the whole pipeline and show who is owed what
	@$(BIN)/ibflow demo

test: $(STAMP) ## Run every test, on real Kafka and ClickHouse
	@$(BIN)/python -m pytest -n auto --durations=10

check: $(STAMP) ## Format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_architecture.py

# Without the laws and the oracle: what only a random broker reaches has no test yet.
coverage: $(STAMP) ## Hold commission/ to every statement and branch, by tests worked out by hand
	@$(BIN)/python -m pytest tests/commission tests/test_golden_rules.py --ignore-glob='*/test_laws*' \
		--cov=commission --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

bench: $(STAMP) ## Measure: deals per second of the fold and from file to ledger
	@$(BIN)/python -m tests.bench

soak: $(STAMP) ## Kill, pause, cut off and fill up at random for an hour; compare with an undisturbed run
	@$(BIN)/python -m pytest -s -m soak tests/chaos

lock: ## Pin the newest versions that pyproject.toml allows (maintainers)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-header --no-annotate -o requirements.lock pyproject.toml

clean: ## Remove the virtual environment and local data
	@rm -rf $(VENV) .ibflow .mypy_cache .pytest_cache .ruff_cache .hypothesis
