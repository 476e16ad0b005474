# make demo   install, get the models, play a synthetic person, verify the verdict
# make test   lint, types, unit and end-to-end tests
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types unit format docs-config models bench-plumbing

help:
	@sed -n 's/^# //p' Makefile

venv: $(READY)

$(READY): setup.cfg requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[test,demo,video]'
	@touch $@

models: $(READY)
	$(BIN)/lunapass models pull

demo: models
	$(BIN)/lunapass demo $(if $(CAMERA),--camera)

test: lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -n 2

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs-config: $(READY)
	$(BIN)/lunapass config docs > docs/configuration.md

bench-plumbing: $(READY)
	$(BIN)/python -m benchmarks.plumbing
