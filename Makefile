# Everything lives under .vecferry/: the environment, the demo, its logs and its report.
# PYTHON: the Python 3.11 to build the environment with.  ARGS: passed on to demo, test, faults and bench.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3.11
ARGS ?=
SEEDS ?= 3
SEED ?=
VENV := .vecferry/venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest -q
# Tests on fakes share the machine; those that time real processes have it to themselves, unless it has cores to spare.
WORKERS ?= 3
REAL_WORKERS ?= 1
# What ARGS choose may all be in one of the two halves.
NONE = $(if $(ARGS),|| test $$? = 5)

# Without .pyc files Airflow's imports take three times as long; every process of a demo or test would pay that.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help venv demo test faults bench bench-large plan-scale lint

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16
	@echo
	@echo 'make demo ARGS="--exit --candidate sandbox-hash-bad"    make demo ARGS=--help    make test ARGS="-k router"'

venv: $(VENV)/installed ## the pinned environment in .vecferry/venv

$(VENV)/installed: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'Python 3.11 is needed: install it, or say make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: venv ## a whole migration on real parts, with an application on it; ARGS=--exit ends by itself
	@$(BIN)/python -m vecferry.sandbox.demo $(ARGS)

test: venv ## all tests: unit, faults, contract, DAGs, integration, end to end
	@$(BIN)/python -m vecferry.sandbox.weaviate_binary >/dev/null
	@$(PYTEST) -n $(WORKERS) --dist worksteal tests/unit tests/faults tests/contract tests/dags --ignore=tests/faults/nemesis $(ARGS) $(NONE)
	@$(PYTEST) -n $(REAL_WORKERS) --dist loadfile --no-loadscope-reorder tests/e2e tests/faults/nemesis tests/integration $(ARGS) $(NONE)

faults: venv ## everything around a migration killed, cut and made to lie; SEEDS=50, or SEED=7 for that one again
	@$(BIN)/python -m vecferry.sandbox.weaviate_binary >/dev/null
	@$(BIN)/python -m tests.faults.nemesis $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

bench: venv ## sizes and times, each beside what it is compared to, in half an hour; ARGS=--help
	@$(BIN)/python -m vecferry.sandbox.bench $(ARGS)

bench-large: venv ## the figures that need a million objects: an hour or two
	@$(BIN)/python -m vecferry.sandbox.bench --large $(ARGS)

plan-scale: venv ## what 1M, 100M and 1B objects cost, with planner and ledger measured; ARGS=--help
	@$(BIN)/python -m vecferry.sandbox.plan_scale $(ARGS)

lint: venv ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
