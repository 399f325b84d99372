# make train            set up, then train on the ORL faces
# make train ARGS="..." the same with flags of scripts/train.py
# make test             set up, then run the tests
# make check            style, types
# make docs             the site: open site/index.html
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: train test check docs clean

train: .venv/installed
	$(BIN)/python scripts/train.py $(ARGS)

test: .venv/installed-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

check: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The variable keeps mkdocs-material from speaking of its successor.
docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site

# A stamp for each set of packages: pip is called again only when pyproject.toml changed.
.venv/installed: EXTRAS :=
.venv/installed-test: EXTRAS := [test]
.venv/installed-dev: EXTRAS := [dev]
.venv/installed-docs: EXTRAS := [docs]
.venv/installed .venv/installed-test .venv/installed-dev .venv/installed-docs: pyproject.toml | .venv
	$(BIN)/python -m pip install --quiet --progress-bar on --disable-pip-version-check --editable ".$(EXTRAS)"
	touch $@

.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "facenet_demo needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
