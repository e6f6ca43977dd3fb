# make up      starts the stack from nothing: Python environment, servers, services
# make test    all tests, on real servers
# make lint    style, types, dead code and import rules
# make bench   one table of start-up, checks, memory, latency and throughput
# make bench-evidence   how long evidence takes to collect, at 1,000, 10,000 and 100,000 orders
# make readme  the transcripts of README.md, recorded again
# make cli-reference   docs/cli.md, written from the command line
# make soak    the long repetitions

SHELL := /bin/sh
.PHONY: up test lint bench bench-evidence readme cli-reference soak setup native
.DEFAULT_GOAL := up

ifeq ($(OS),Windows_NT)
$(error labkit runs on Linux and macOS; on Windows, run make inside WSL2)
endif

# As on a learner's machine: compiled modules are kept. Without them each command takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

# Paths stay relative: make cannot handle the space in "my projects/labkit".
BIN := .venv/bin
STAMP := .venv/installed

up: setup
	$(BIN)/labkit up

setup: $(STAMP)
	$(BIN)/labkit setup

# The servers of the native runtime, even if Docker answers.
native: $(STAMP)
	$(BIN)/labkit setup --runtime native

# Two at a time, each with stacks of its own; JOBS=0 runs them one after another.
JOBS := 2
test: native
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.typed_labs
	$(BIN)/vulture
	$(BIN)/lint-imports --no-logo --no-cache

bench: native
	$(BIN)/python -m bench

bench-evidence: native
	$(BIN)/python -m bench.evidence

readme: native
	$(BIN)/python -m bench.readme

cli-reference: $(STAMP)
	$(BIN)/python -m tools.cli_reference

# The last line runs all tests that use a stack on Docker, including the long repetitions. It does nothing where no engine answers.
soak: native
	$(BIN)/python -m pytest -m soak $(ARGS)
	LABKIT_TEST_RUNTIME=docker $(BIN)/python -m pytest -m docker $(ARGS) || [ $$? = 5 ]

# The first Python that will do; PYTHON=... names another. Distributions build theirs optimised (30 % less processor time
# than a plain build), so theirs comes first.
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",/usr/bin/python3 python3.13 python3.12 python3.11 python3)

$(STAMP): pyproject.toml
	@for python in $(CANDIDATES); do \
	    if "$$python" -c 'import sys; assert sys.version_info >= (3, 11); import ensurepip, venv' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "labkit needs Python 3.11 or later with venv: install python3 and python3-venv (brew install python), or make PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	echo "Python environment .venv, from $$found"; \
	"$$found" -m venv --clear .venv && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' && \
	touch $(STAMP)
