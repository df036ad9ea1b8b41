# Everything a newcomer needs: `make run` and `make test`. Each target brings what it needs by itself.
.DEFAULT_GOAL := help
.PHONY: help run demo test lint fmt console python dev peers bench bench-smoke openapi lock clean
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
OTKLIK := .venv/bin/otklik

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: python console ## Start Otklik: install, build, migrate, serve (Ctrl-C stops everything)
	@exec $(OTKLIK) up --with-parent

demo: python console ## Fill the database of a running Otklik with a story that goes on
	@exec $(OTKLIK) demo

test: dev peers ## Run linters and all tests, with everything they need
	@./scripts/frontend.sh install
	@./scripts/frontend.sh build
	@./scripts/test.sh

lint: dev ## Run the linters
	@./scripts/frontend.sh install
	@./scripts/lint.sh

fmt: dev ## Format the Python code
	@.venv/bin/ruff format -q .
	@.venv/bin/ruff check -q --fix .

console: ## Build the console and the site chat when they changed
	@./scripts/frontend.sh build

openapi: dev ## Write the API's description and the console's types from it
	@$(OTKLIK) openapi --output console/openapi.json
	@PATH="$$(./scripts/node.sh):$$PATH" npm --prefix console run --silent types

python: ## Install the program's Python packages
	@./scripts/python.sh run

dev: ## Install the Python packages of the tests too
	@./scripts/python.sh dev

peers: ## Install the system programs the tests talk to
	@./scripts/peers.sh
	@./scripts/corpora.sh

lock: ## Pin the Python packages anew after a change of pyproject.toml
	@./scripts/lock.sh

bench: dev ## Measure; prints one JSON object a line
	@.venv/bin/python -m bench

bench-smoke: dev ## See that the benchmarks run
	@.venv/bin/python -m bench --smoke

clean: ## Remove what was installed and built (never the data)
	rm -rf .venv .cache console/node_modules console/dist widget/node_modules widget/dist test-results
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
