# `make demo` and `make test` do all the set-up themselves: python3, python3-venv, git and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2

.PHONY: demo test test-lab soak check lab lab-down bench screenshots

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --disable-pip-version-check --editable . --group dev
	touch $@

demo: $(READY)  ## the dashboard on the bundled recording
	$(BIN)/mailtop demo

check: $(READY)  ## style, types, corridors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check  ## unit, replay, snapshots, one lab smoke per service (skipped, with one reason, without Docker)
	$(BIN)/pytest -m 'not lab and not faults and not soak' -n $(JOBS)
	$(BIN)/pytest -m 'lab and not faults and not soak'

test-lab: $(READY)  ## the fault matrix on the lab, one at a time
	$(BIN)/pytest -m "faults and not soak"

soak: $(READY)  ## the long and quiet runs, by hand
	$(BIN)/pytest -m soak --timeout 0

lab: $(READY)  ## the platform on this machine; ready when a mail has really arrived
	$(PYTHON) tests/lab/lab.py up

lab-down:
	$(PYTHON) tests/lab/lab.py down

bench: $(READY)  ## every number beside its yardstick, interleaved
	$(BIN)/python tests/bench/run.py

screenshots: $(READY)  ## SVG pictures of the demo's screens
	$(BIN)/python tests/ui/screenshots.py
