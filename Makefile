# make demo · make test · make quick · make chaos · make bench · make lint · make protos · make setup        every target sets up .venv by itself
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(sort $(wildcard protos/thalweg/v1/*.proto))
BENCH ?=
SECONDS ?= 120
SEED ?= 1
WITHOUT ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick chaos bench lint format protos wire-check wire-baseline clean

help:            ## what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "thalweg wants Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + "; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

# one stamp for what running needs, one for what developing needs; either is made again when the pins or the extras change
$(VENV)/run.stamp: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[server,chemistry,fast]'
	$(BIN)/python -m thalweg_vqe.engines.compiled
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[server,chemistry,fast,bench,dev]'
	@touch $@

setup: $(VENV)/run.stamp ## a virtual environment in .venv with everything that running needs

demo: $(VENV)/run.stamp ## run the three jobs of examples/ on an embedded service and write demo/report.html
	$(BIN)/thalweg run examples/h2.toml examples/skyrmion.toml examples/logistic.toml \
		--data demo/data --out demo --report demo/report.html

test: $(VENV)/dev.stamp ## the whole test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: $(VENV)/dev.stamp ## the tests that take a minute in all, for the inner loop
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

chaos: $(VENV)/dev.stamp ## kill, freeze and starve every part of a service; SECONDS=120 SEED=1 WITHOUT=disk,inodes
	$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) --without "$(WITHOUT)"

bench: $(VENV)/dev.stamp ## side by side with the peers; BENCH="NAME --quick" for one
	$(BIN)/python -m benchmarks $(if $(BENCH),$(BENCH),all)

lint: $(VENV)/dev.stamp wire-check ## style, types, who imports whom, the rooms and floors, the wire
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p thalweg -p thalweg_core -p thalweg_vqe -p thalweg_physics -p tools -p benchmarks
	$(BIN)/lint-imports
	$(BIN)/python -m tools.house

format: $(VENV)/dev.stamp ## put imports and layout in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: $(VENV)/dev.stamp ## generate service/thalweg/v1 from protos/; says if that breaks what is landed
	$(BIN)/python -m tools.wire generate

wire-check: $(VENV)/dev.stamp ## the stubs and the baseline are those of protos/, the style is buf's
	$(BIN)/python -m tools.wire check

wire-baseline: $(VENV)/dev.stamp ## accept a wire that breaks what is landed
	$(BIN)/python -m tools.wire baseline

clean:           ## remove what was made
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
