# The menu: `make` alone prints it. A line "target: ## words" is an entry.
SHELL := /bin/bash
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON_HERE := .venv/bin/python

.PHONY: help
help: ## Print this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

##@ Use it

.PHONY: run
run: ## Set everything up and start Runnerly; Ctrl-C stops it
	@scripts/environment.sh run
	@exec scripts/foreground.sh $(PYTHON_HERE) -m services up

.PHONY: up
up: ## The same under Circus, every service in processes of its own, behind nginx with Lua
	@scripts/environment.sh run
	@scripts/install-parts.sh 'nginx with Lua'
	@exec scripts/foreground.sh $(PYTHON_HERE) -m deploy.circus up

.PHONY: reload
reload: ## New workers for old in a running `make up`, losing no request
	@exec $(PYTHON_HERE) -m deploy.circus reload

.PHONY: down
down: ## Stop a running `make up`
	@exec $(PYTHON_HERE) -m deploy.circus down

.PHONY: backup
backup: ## Write everything into one file under var/backups, while it runs or not
	@scripts/environment.sh run
	@mkdir -p -m 700 "$${RUNNERLY_HOME:-var}/backups"
	@exec $(PYTHON_HERE) -m services backup "$${RUNNERLY_HOME:-var}/backups/runnerly-$$(date -u +%Y%m%dT%H%M%SZ).tar.zst"

##@ Change it

.PHONY: develop
develop: ## Install what tests, docs and checks need into .venv
	@scripts/environment.sh dev

.PHONY: parts
parts: ## Install the programs tests need from Debian's packages, or name what is missing
	@scripts/install-parts.sh

.PHONY: test
test: parts develop ## Check everything, as CI does (= tox)
	@exec $(PYTHON_HERE) -m tox

.PHONY: lint
lint: develop ## Formatting, lint, types and import contracts only
	@exec $(PYTHON_HERE) -m tox -q -e lint,types,imports

.PHONY: format
format: develop ## Format the code and fix what can be fixed
	@$(PYTHON_HERE) -m ruff check --fix --quiet . || true
	@$(PYTHON_HERE) -m ruff format .

.PHONY: bench
bench: develop ## What the chassis costs against bare Tornado (needs wrk), sign-ins the others, uploads the loop; flat lists
	@scripts/install-parts.sh wrk
	@$(PYTHON_HERE) -m tests.bench.chassis_cost
	@$(PYTHON_HERE) -m tests.bench.sign_ins
	@$(PYTHON_HERE) -m tests.bench.loop_lag
	@exec $(PYTHON_HERE) -m tests.bench.flatness

.PHONY: bench-takeout
bench-takeout: develop ## Take out and delete somebody with years of runs; fails where memory grows with the person
	@exec $(PYTHON_HERE) -m tests.bench.large_takeout

.PHONY: bench-peer
bench-peer: develop ## Runnerly and FitTrackee side by side: reads, uploads, memory (needs PostgreSQL, Redis, wrk)
	@scripts/install-parts.sh wrk
	@scripts/install-parts.sh FitTrackee
	@exec $(PYTHON_HERE) -m tests.bench.side_by_side

.PHONY: fuzz
fuzz: develop ## Fuzz what reads strangers' files, RUNNERLY_FUZZ_S (60) seconds for each target (Linux, x86-64)
	@exec $(PYTHON_HERE) -m tests.fuzz --seconds "$${RUNNERLY_FUZZ_S:-60}"

.PHONY: load
load: develop ## Send runners for a minute to a Runnerly that runs here; fails when anything failed
	@how="--users $${RUNNERLY_LOAD_USERS:-20} --spawn-rate 1 --run-time $${RUNNERLY_LOAD_TIME:-1m}"; \
	if [ -n "$${RUNNERLY_LOAD_SHAPE:-}" ]; then how=; fi; \
	exec $(PYTHON_HERE) -m locust -f loadtests/locustfile.py --headless --only-summary $$how \
		--host "$${RUNNERLY_PUBLIC_URL:-http://127.0.0.1:$${RUNNERLY_PORT:-8080}}"

.PHONY: openapi
openapi: develop ## Write the OpenAPI documents and the schemas of a takeout that are committed
	@$(PYTHON_HERE) -m services openapi
	@exec $(PYTHON_HERE) -m services schemas

.PHONY: docs
docs: develop ## Build the book into docs/_build/html
	@exec $(PYTHON_HERE) -m tox -q -e docs

.PHONY: lock
lock: ## Write the lock files from pyproject.toml; UPGRADE=1 takes newer versions
	@[ -x .venv-lock/bin/python ] || python3 -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@.venv-lock/bin/python scripts/lock.py --uv .venv-lock/bin/uv $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove what was built and installed; your data in var/ stays
	@rm -rf .venv .venv.lock .venv-lock .tox .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .import_linter_cache build dist docs/_build *.egg-info
