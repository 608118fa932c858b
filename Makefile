# What one does with this project; `make` alone lists it.

PYTHON ?=
export PYTHON
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint format lock bench clean run-env dev-env

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: run-env ## install what is needed and split an example song into stems
	@$(BIN)/python scripts/demo.py

test: lint ## check the code, then run every test that needs no GPU
	@$(BIN)/pytest -m "not gpu"

lint: dev-env ## check style, types and which room imports which
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/pyright
	@$(BIN)/lint-imports --no-logo

format: dev-env ## rewrite the code in the project's style
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format

lock: ## look up the newest packages and write requirements/*.txt
	@scripts/lock

bench: run-env ## measure against the peers, print a table (QUICK=1: no hours of audio; DOCS=1: update docs)
	@$(BIN)/python benchmarks/run.py $(if $(QUICK),--quick) $(if $(DOCS),--docs)

clean: ## remove everything that make made here (models stay in their cache)
	@rm -rf .venv .bench-venv build dist demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

run-env:
	@scripts/setup run

dev-env:
	@scripts/setup dev
