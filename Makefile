# `make run` starts the system, `make test` tests it; both set up all they need and can be repeated.

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := $(VENV)/bin
CORES := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
WORKERS ?= $(shell expr 3 \* $(CORES))  # many tests wait for servers and browsers
WORKERS_ON_POSTGRES ?= $(shell expr $(CORES) + 1)
ifneq ($(HOST):$(PORT),127.0.0.1:8000)
export PUBLIC_URL ?= http://$(HOST):$(PORT)
endif

IN_PROCESS := $(addprefix tests/,common events users rides simulation realtime nebengjek web clients)  # what coverage sees

# without it every server that a test starts compiles all modules again
unexport PYTHONDONTWRITEBYTECODE

# for this machine only; a .env says for itself what the project runs as
ifeq ($(wildcard .env),)
export DEBUG ?= true
endif

.PHONY: help texts lock run run-distributed ride city docs migrate coverage test test-sqlite test-postgres test-faults test-hostile bench browser screenshots check format clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: migrate  ## Start the system, with a town that lives in it, on http://127.0.0.1:8000 (PORT=)
	@$(BIN)/python manage.py serve --demo --host $(HOST) --port $(PORT)

ride: $(VENV)/.run-ready  ## Watch one ride on the running system, frame by frame
	@$(BIN)/python manage.py simulate --rides 1 --drivers 1 --passengers 1 --show-frames --url http://$(HOST):$(PORT)

city: $(VENV)/.dev-ready  ## Let a small city live on the whole system while its processes are killed, and check every promise
	@$(BIN)/python -m tests.stress.city --faults $(ARGS)

migrate: $(VENV)/.run-ready
	@$(BIN)/python manage.py migrate --verbosity 0

test: $(VENV)/.dev-ready  ## Run all tests, and what touches the database on PostgreSQL too
	@$(BIN)/python -m tests.side_by_side "$(MAKE) --no-print-directory test-sqlite" "$(MAKE) --no-print-directory test-postgres"

test-sqlite: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-postgres: $(VENV)/.dev-ready
	@$(BIN)/python -m tests.on_postgres -n $(WORKERS_ON_POSTGRES) --dist loadfile --no-loadscope-reorder \
		-o cache_dir=.pytest_cache/postgres $(ARGS) tests/events tests/users tests/rides tests/realtime

coverage: $(VENV)/.dev-ready  ## Run the tests within one process each, and fail where they reach too little of the code
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term --cov-report=html $(ARGS) $(IN_PROCESS)

test-faults: $(VENV)/.dev-ready  ## Pull every plug of the distributed system under load, in full size
	@$(BIN)/python -m tests.stress.faults $(ARGS)
	@$(BIN)/python -m tests.stress.alone

test-hostile: $(VENV)/.dev-ready  ## A million hostile frames, slow and idle clients, ten thousand who come and go
	@$(BIN)/python -m tests.stress.hostile $(ARGS)
	@$(BIN)/python -m tests.stress.churn

bench: $(VENV)/.dev-ready  ## Measure the project and its peers in turn, and write docs/performance.md (ROUNDS=5, GO_PEER=)
	@$(BIN)/python -m bench --rounds $(or $(ROUNDS),5) $(ARGS)

browser: $(VENV)/.dev-ready  ## Get the browser that the tests of the pages need, where there is none
	@$(BIN)/python -m tests.browser.chromium

screenshots: browser  ## Take the pictures of the documentation, of a town that lives
	@$(BIN)/python -m tests.browser.screenshots

run-distributed: $(VENV)/.dev-ready  ## Start the system as many processes, on PostgreSQL, Valkey and NATS (PORT=)
	@$(BIN)/python -m devservers.local --port $(PORT)

texts:  ## Bring new texts into the translations, and compile them (needs gettext)
	@$(BIN)/python manage.py translate

lock:  ## Write requirements.lock, after a change of requirements.txt (needs uv)
	@echo '# requirements.txt with the hashes of all files, for `pip install --require-hashes`; made by `make lock`.' > requirements.lock
	@grep -v '^-e ' requirements.txt | uv pip compile --quiet --no-deps --generate-hashes --universal --no-header --no-annotate \
		--python-version 3.11 - >> requirements.lock

docs: $(VENV)/.run-ready  ## Make everything that repeats the contract: documents, parts of the clients
	@$(BIN)/python manage.py make_docs

check: $(VENV)/.dev-ready  ## Lint, format, types, system checks, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python manage.py check --fail-level WARNING
	@$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0

format: $(VENV)/.dev-ready  ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## Remove the virtual environment and caches; the database in var/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with make PYTHON=…")'
	@$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV); echo "Python cannot make virtual environments here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1)

$(VENV)/.run-ready: requirements.txt clients/python/pyproject.toml | $(BIN)/python
	@echo "Installing what the project runs on into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev-ready: requirements-dev.txt $(VENV)/.run-ready | $(BIN)/python
	@echo "Installing what tests and checks need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
