# The doors of the project.  Every target makes the virtual environment that it needs, in .venv.

PYTHON ?= python3
JOBS ?= 2

BIN := .venv/bin
RUN := .venv/.ready-run
ALL := .venv/.ready-all
BOOK := .venv/.ready-book
DIST := .venv/.ready-dist

# Another interpreter to run the tests with, if it is there: the newest that the dependencies support.
NEWEST ?= python3.13
NEW := .venv-newest

# The extras that all tests and notebooks need.
EVERYTHING := word2vec,fast,distributed,lattice,seal,sklearn,notebooks,dev

# One thread per process, so that times are CPU times; no progress bars in stored outputs.
reproduce assisted unassisted hidden ckks comparison figures unit notebooks-check notebooks bench: export OMP_NUM_THREADS = 1
notebooks-check notebooks: export TQDM_DISABLE = 1

.DEFAULT_GOAL := help
.PHONY: help reproduce assisted unassisted hidden ckks comparison publish test lint unit notebooks-check lab notebooks book figures bench dist newest clean

JOB := $(BIN)/python -m encnn.experiments

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-16s %s\n", $$1, $$2 }'

reproduce: $(RUN)  ## train in the clear and encrypted; print the paper's tables, write results/
	$(JOB) reproduce

assisted: $(ALL)  ## train at 128 bits with the owner's assistance; write results/assisted.csv
	$(JOB) assisted

unassisted: $(ALL)  ## train at 128 bits by bootstrapping, nobody assisting; write results/unassisted.csv
	$(JOB) unassisted

hidden: $(ALL)  ## train the paper's hidden layer at 128 bits, nobody assisting; write results/hidden.csv
	$(JOB) hidden

ckks: $(ALL)  ## train under CKKS at 128 bits on word2vec features; write results/ckks.csv, mirror.csv
	$(JOB) ckks --unassisted

comparison: $(ALL)  ## train one small network under every scheme; write results/comparison.csv
	$(JOB) comparison

publish: $(RUN)  ## take the tables of results/ into figures/, README and docs/, which the tests read
	$(JOB) publish
	$(BIN)/python tools/readme.py write
	$(BIN)/python tools/docs.py write

test: lint unit notebooks-check newest dist  ## everything that CI runs

lint: $(ALL)  ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(ALL)  ## tests, slow ones and doctests included, with coverage
	$(BIN)/python -m pytest -m "" --cov -n $(JOBS) --dist worksteal

newest: export OMP_NUM_THREADS = 1
newest: pyproject.toml  ## the quick tests with NEWEST (python3.13), if there is such an interpreter
	@if $(NEWEST) -c 'import ensurepip, venv' 2>/dev/null; then \
	    test -x $(NEW)/bin/python || $(NEWEST) -m venv $(NEW); \
	    $(NEW)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EVERYTHING)]' && \
	    $(NEW)/bin/python -m pytest -q -n $(JOBS); \
	else echo "$(NEWEST) was not found, so the tests were not run with it"; fi

dist: $(DIST)  ## build wheel and source distribution in dist/, and check them
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

notebooks-check: $(ALL)  ## notebooks: hygiene, then their stored outputs against a new run
	$(BIN)/python tools/notebooks.py check
	$(BIN)/python -m pytest -o addopts="" -p no:cacheprovider --nbval --nbval-current-env \
	    --nbval-cell-timeout=600 -n $(JOBS) --dist loadfile notebooks

lab: $(ALL)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks    # links lead out of notebooks/

notebooks: $(ALL)  ## run every notebook again, in place, and renew the links between them
	$(BIN)/python tools/notebooks.py links
	$(BIN)/python tools/notebooks.py run

book: $(BOOK)  ## build one web site from README, notebooks, docs/ and docstrings, in build/book
	rm -rf build/book build/book-pages
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -d build/book-pages -c docs . build/book
	@echo "open build/book/index.html"

figures: $(RUN)  ## draw every picture of figures/ again, from the published tables
	$(JOB) figures
	$(BIN)/python -m benchmarks --figures

bench: $(ALL)  ## measure speed, sizes and memory of every scheme against the clear; write results/benchmarks/
	$(BIN)/python -m benchmarks

clean:  ## remove what the targets above made, the virtual environment included
	rm -rf .venv .venv-newest build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Stamps: .venv holds what the extras name.  Once pyproject.toml is newer, pip brings .venv up to date.
$(RUN): EXTRAS := word2vec
$(ALL): EXTRAS := $(EVERYTHING)
$(BOOK): EXTRAS := word2vec,fast,distributed,lattice,seal,sklearn,book
$(DIST): EXTRAS := word2vec,release
$(RUN) $(ALL) $(BOOK) $(DIST): pyproject.toml
	@test -x $(BIN)/python || { $(call check-python,$(PYTHON)) && $(PYTHON) -m venv .venv; }
	@$(call check-python,$(BIN)/python)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	@touch $(RUN) $@    # the larger set contains the smaller one

# Shell test: the interpreter $(1) exists, is new enough and can make virtual environments.
define check-python
{ command -v $(1) >/dev/null || { echo "$(1) was not found: install Python 3.11 or newer," \
      "or name one with 'make PYTHON=...'" >&2; exit 1; }; \
  $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(1) is $$($(1) --version 2>&1):" \
      "encnn needs 3.11 or newer. Name one with 'make PYTHON=...', after removing .venv if there is one" >&2; exit 1; }; \
  $(1) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(1) cannot make virtual environments:" \
      "on Debian and Ubuntu run 'apt install python3-venv'" >&2; exit 1; }; }
endef
