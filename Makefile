# make demo    set up, train CTAL on generated rooms, evaluate, draw
# make test    set up, lint, types, tests
# All else is for developers. Nothing outside this folder is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements/lock.txt
DEMO ?= demo

.PHONY: demo test test-fast test-deepspeed lint docs wheel benchmark clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,3s/^# //p' Makefile

$(VENV)/.runtime: requirements/lock.txt requirements/runtime.txt requirements/mmcv.txt setup.py tools/preflight.py
	$(PYTHON) tools/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/preflight.py --step "installing the locked packages (1.6 GB on disk with a CPU build of torch, 5.5 GB with a CUDA build)"
	$(PIP) --upgrade pip 'setuptools<81' wheel
	$(PIP) -r requirements/runtime.txt -r requirements/mmcv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python tools/preflight.py --installed
	touch $@

$(VENV)/.tests: $(VENV)/.runtime requirements/tests.txt requirements/docs.txt
	$(PIP) -r requirements/tests.txt -r requirements/docs.txt
	touch $@

demo: $(VENV)/.runtime
	$(BIN)/python tools/demo.py --out $(DEMO)

test: $(VENV)/.tests lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-fast: $(VENV)/.tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-deepspeed: $(VENV)/.tests
	$(PIP) --no-build-isolation -r requirements/deepspeed.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/engine/test_ranks.py tests/engine/test_zero.py

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.tests
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

wheel: $(VENV)/.runtime
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

benchmark: $(VENV)/.runtime
	$(BIN)/python tools/benchmarks/ctal_affinity.py

clean:
	rm -rf $(VENV) build dist docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache
