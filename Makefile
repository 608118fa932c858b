# What one does with this project; `make` alone lists it.

PYTHON ?=
export PYTHON
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint audit format api lock bench chaos soak fuzz clean run-env dev-env torch-env page

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: run-env ## install what is needed, split an example song into stems, build the web page
	@$(BIN)/python scripts/demo.py

test: lint audit ## check the code, then run every test that needs no GPU
	@$(BIN)/pytest -m "alone and not gpu"
	@$(BIN)/pytest -m "not alone and not gpu" -n 4 --dist loadfile --no-loadscope-reorder

lint: dev-env torch-env page ## check style, types and which room imports which
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo
	@scripts/npm run --silent check

audit: dev-env page ## ask whether a package that is pinned here has a known vulnerability
	@$(BIN)/python scripts/audit.py

format: dev-env page ## rewrite the code in the project's style
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format
	@scripts/npm run --silent format

api: dev-env page ## write what the page knows of the API from what the API says of itself
	@$(BIN)/python -m stemset.api.openapi >web/openapi.json
	@scripts/npm run --silent api

lock: ## look up the newest packages and write requirements/*.txt
	@scripts/lock

bench: torch-env ## measure against the peers, print a table (QUICK=1: no hours of audio; DOCS=1: update docs; ONLY=speed: one section)
	@$(BIN)/python benchmarks/run.py $(if $(QUICK),--quick) $(if $(DOCS),--docs) $(if $(ONLY),--only $(ONLY))

chaos: dev-env ## kill the service at random, for minutes; no job may be lost (SECONDS=, JOBS=, SEED=)
	@$(BIN)/python scripts/chaos.py

soak: dev-env ## use the service for hours while faults are made; nothing may grow (HOURS=8 or MINUTES=, SEED=, FOLDER=, CALM=1)
	@$(BIN)/python scripts/soak.py

fuzz: dev-env ## give damaged recordings to the decoder, and made-up bytes to our parsers (COUNT=, SECONDS= each, SEED=, KEEP=1)
	@$(BIN)/python scripts/fuzz.py

clean: ## remove everything that make made here (models stay in their cache)
	@rm -rf .venv .bench-venv build dist demo web/node_modules src/stemset/_web .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

run-env:
	@scripts/setup run

dev-env:
	@scripts/setup dev

torch-env: dev-env
	@scripts/setup torch

page: dev-env
	@scripts/setup web
