# Every target sets up .venv first if it is missing or out of date.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
STAMP := .venv/.installed
# One process a core, with one thread each: most tests are too small for more.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n logical

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-all lint format bench wheel clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP)  ## create .venv with the package, its extras and the development tools

# pip learned dependency groups (--group) in version 25.1.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[all]" --group dev
	touch $@

demo: $(STAMP)  ## corrupt, choose a schedule, train, sample and evaluate; writes demo/index.html
	$(BIN)/python examples/demo.py --out demo

test: $(STAMP)  ## run the tests, but for the slow ones
	$(PYTEST) -m "not slow"

test-all: $(STAMP)  ## run all tests
	$(PYTEST)

lint: $(STAMP)  ## check format, style, types and the order of the layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## print the ratios that the project promises
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/data.py

wheel: $(STAMP)  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## remove what was built, not .venv and not runs/
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -exec rm -rf {} +
