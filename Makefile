# What one does with this project day by day. `make` alone lists it.
#
# Every target prepares what it needs in .venv; USE_DOCKER=1 runs it in containers instead.

PORT ?= 8000
ARGS ?=

ifeq ($(USE_DOCKER),1)
setup := :
docker := docker compose
# Compose wants the key of the whole file, which the tools do not use.
tool := env SECRET_KEY=unused $(docker) run --rm --build dev python
command := $(docker) run --rm --build app movie-finder
run := $(docker) up --build app
else
setup := scripts/setup
tool := .venv/bin/python
command := .venv/bin/python -m app.cli
run := $(command) run --port $(PORT)
endif

# By file, since the tests of a file share a service.
workers := -n 3 --dist loadfile

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test coverage check lint format fuzz audit bench bench-search bench-bad-days bench-overload bench-memory \
	bench-processes bench-resolve bench-import-django bench-import-imdb \
	migrate load-minimal-data start stop restart logs requirements setup

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-20s%s\n", $$1, $$2 }' Makefile
	@echo 'PORT=8000 is the port of run, ARGS=... goes to the tests, PYTHON=... makes .venv, USE_DOCKER=1 uses containers.'

run: ## Serve on http://127.0.0.1:8000 with a database and a sample catalogue of its own
	@$(setup) run
	@exec $(run)

test: ## Run the tests
	@$(setup) dev
	@exec $(tool) -m pytest $(workers) $(ARGS)

coverage: ## Run the tests and require that they reach every line
	@$(setup) dev
	@exec $(tool) -m pytest $(workers) --cov --cov-report=term --cov-fail-under=100 $(ARGS)

check: lint ## Check formatting, style, types and the rooms' order
	@$(tool) -m mypy
	@$(tool) -c 'from importlinter.cli import lint_imports_command; lint_imports_command(["--no-logo"])'

fuzz: ## Send hostile requests by the thousand to a running service
	@$(setup) dev
	@exec $(tool) -m tests.fuzz

audit: ## Look for known weaknesses in the code and in the pinned packages
	@$(setup) dev
	@$(tool) -m bandit --quiet --recursive --severity-level medium app migrations
	@$(tool) -m pip_audit --require-hashes --disable-pip --requirement requirements.txt

bench-bad-days: ## Let PostgreSQL, Redis, OMDb and the service itself fail, and write docs/reliability.md
	@$(setup) dev
	@exec $(tool) -m bench.bad_days docs/reliability.md

bench-overload: ## Ask more of the service than it can do, and write docs/reliability.md
	@$(setup) dev
	@exec $(tool) -m bench.overload docs/reliability.md

bench: ## Measure every read at every size, beside a bare server, and write docs/performance.md (wrk; 20 minutes)
	@$(setup) dev
	@exec $(tool) -m bench.performance docs/performance.md $(ARGS)

bench-search: ## Measure how often a mistyped title is found, and how fast (REAL_DATA_DIR), and write docs/search.md
	@$(setup) dev
	@exec $(tool) -m bench.search docs/search.md

bench-processes: ## Run four processes behind nginx, and write docs/many-processes.md
	@$(setup) dev
	@exec $(tool) -m bench.many_processes docs/many-processes.md

bench-resolve: ## Measure how many titles resolve to the right film (REAL_DATA_DIR) and write docs/resolution.md
	@$(setup) dev
	@exec $(tool) -m bench.resolve

bench-memory: ## Watch a worker's memory over 100,000 requests, and write docs/reliability.md
	@$(setup) dev
	@exec $(tool) -m bench.memory docs/reliability.md

bench-import-django: ## Move 100,000 movies over from a Django service, and tell how long it takes
	@$(setup) dev
	@exec $(tool) -m bench.import_django

bench-import-imdb: ## Load a million titles, then twelve million lines, of IMDb's format, and write docs/imdb.md
	@$(setup) dev
	@exec $(tool) -m bench.import_imdb docs/imdb.md

lint: ## Check formatting and style only
	@$(setup) dev
	@$(tool) -m ruff format --check .
	@$(tool) -m ruff check .

format: ## Format the code and repair what can be repaired
	@$(setup) dev
	@$(tool) -m ruff check --fix .
	@$(tool) -m ruff format .

migrate: ## Bring the database's schema up to date
	@$(setup) run
	@exec $(command) migrate

load-minimal-data: ## Load the sample catalogue
	@$(setup) run
	@exec $(command) load-sample

start: ## Start the service, PostgreSQL and Redis in containers
	docker compose up --detach --build --wait

stop: ## Stop the containers
	docker compose down

restart: ## Restart the containers
	docker compose restart

logs: ## Follow the containers' logs
	docker compose logs --follow --tail 100

# Pins are kept where they still fit; ARGS=--upgrade takes the newest.
pin := .venv/bin/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make requirements' $(ARGS)
embedded := import tomllib; \
	extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*extras["embedded"], sep="\n")

requirements: ## Pin the packages of pyproject.toml anew
	@$(setup) dev
	@$(pin) pyproject.toml --extra install --output-file requirements.txt
	@$(pin) pyproject.toml --extra install --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	@.venv/bin/python -c '$(embedded)' | $(pin) - --constraint requirements-dev.txt --output-file requirements-embedded.txt

setup:
	@$(setup) dev
