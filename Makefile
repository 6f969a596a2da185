# Everyday commands.  Each one that needs Python makes .venv first, from the pinned and hashed constraints.txt.

VENV := .venv
STAMP := $(VENV)/.installed

# The first Python on the path that runs and is new enough.  It is looked for only when a virtual environment is made.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$python; exit; }; done)

MEMBERS ?= 3
DIR ?= paxon-data
BASE_PORT ?= 7400
PYTEST_ARGS ?=
BENCH_ARGS ?=
HOURS ?= 24
FUZZ_SECONDS ?= 60
FUZZ_ARGS ?=
SIMULATE_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test examples mutants simulate fuzz lint bench bench-failover bench-exactly-once bench-library bench-catch-up bench-snapshot bench-simulate bench-soak campaign model tla constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  run takes MEMBERS ($(MEMBERS)), DIR ($(DIR)) and BASE_PORT ($(BASE_PORT)); test takes PYTEST_ARGS; bench takes BENCH_ARGS; simulate takes SIMULATE_ARGS; campaign takes HOURS ($(HOURS))."

run: $(STAMP) ## start a cluster on this machine, in the foreground; Ctrl-C stops it
	@exec $(VENV)/bin/paxon up --members $(MEMBERS) --dir $(DIR) --base-port $(BASE_PORT)

test: $(STAMP) ## run the tests; those marked slow are left out
	@$(VENV)/bin/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

examples: $(STAMP) ## run every example: real processes, some of which are killed, and what each one claims is checked
	@$(VENV)/bin/python -m examples

mutants: $(STAMP) ## break every rule of the catalogue, one at a time: which test notices?
	@$(VENV)/bin/python -m tests.mutants

simulate: $(STAMP) ## run 1,000 seeds, over eight simulated hours, and fail if a rule breaks or a fault never struck
	@$(VENV)/bin/paxon simulate --seeds 1000 --all-faults $(SIMULATE_ARGS)

lint: $(STAMP) ## check style, formatting and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy --strict

bench: $(STAMP) ## measure writes on this machine; prints JSON
	@$(VENV)/bin/paxon bench --json $(BENCH_ARGS)

bench-failover: $(STAMP) ## kill the leader 20 times under load: nothing lost, and how long nothing is served
	@$(VENV)/bin/python benchmarks/failover.py $(BENCH_ARGS)

bench-exactly-once: $(STAMP) ## kill the leader 20 times under numbered commands: each applied once, in order; prints JSON
	@$(VENV)/bin/python benchmarks/exactly_once.py $(BENCH_ARGS)

bench-catch-up: $(STAMP) ## let a follower catch up on 100,000 commands: what live writes notice of it
	@$(VENV)/bin/python benchmarks/catch_up.py $(BENCH_ARGS)

bench-snapshot: $(STAMP) ## take snapshots of a gigabyte while writes go on: is any of them late?
	@$(VENV)/bin/python benchmarks/snapshot.py $(BENCH_ARGS)

campaign: $(STAMP) ## simulate HOURS of bad luck on all cores, kept in campaign.jsonl; the same command goes on after any end
	@exec $(VENV)/bin/paxon simulate --hours $(HOURS) --state campaign.jsonl

bench-simulate: $(STAMP) ## how many simulated seconds a second of processor time brings, and where it goes; prints JSON
	@$(VENV)/bin/python benchmarks/simulate.py $(BENCH_ARGS)

bench-library: $(STAMP) ## typed commands and reads of three processes, as an embedding program has them; prints JSON
	@$(VENV)/bin/python benchmarks/library.py --reads 100000 $(BENCH_ARGS)

bench-soak: $(STAMP) ## ten minutes of load without faults: the leader stays
	@$(VENV)/bin/python benchmarks/soak.py $(BENCH_ARGS)

model: $(STAMP) ## visit every state of some small worlds with the shipped core; a few minutes
	@$(VENV)/bin/python -m paxon.sim.explore

tla: $(STAMP) ## check the TLA+ specification with TLC, then every broken rule; ten minutes, needs Java
	@$(VENV)/bin/python spec/tlc.py
	@$(VENV)/bin/python spec/tlc.py --mutants

fuzz: $(STAMP) ## feed every decoder what nobody would send; FUZZ_SECONDS (60) for each target, FUZZ_ARGS names some
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r constraints-fuzz.txt || echo "atheris could not be installed" >&2
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(VENV)/bin/python -m tests.fuzz $(FUZZ_ARGS)

# The pip of a fresh virtual environment is enough: everything, the build backend too, comes from constraints.txt.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found; name one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

constraints: ## pin the newest allowed version of every dependency again
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found; name one with: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	$(PYTHON) -m venv "$$work/venv"; \
	"$$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	compile="$$work/venv/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links"; \
	$$compile pyproject.toml --extra speed --group dev --output-file "$$work/pins.txt"; \
	$$compile --group fuzz --output-file "$$work/pins-fuzz.txt"; \
	{ echo "# Every package that the Makefile installs, pinned and hashed, for Python 3.11 and newer on any platform."; \
	echo "# Made from pyproject.toml by: make constraints"; cat "$$work/pins.txt"; } > constraints.txt; \
	{ echo "# What make fuzz installs beside constraints.txt, pinned and hashed."; \
	echo "# Made from pyproject.toml by: make constraints"; cat "$$work/pins-fuzz.txt"; } > constraints-fuzz.txt

clean: ## remove .venv and caches; data directories stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
