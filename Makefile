# One command each. CI calls `check` and `test`, the same as anybody at a desk. Needs Python 3.11+ and make.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
SEEDS ?= 10000
# uv installs in seconds what takes pip a minute; without it pip says what it does meanwhile.
INSTALL = $(if $(shell command -v uv),VIRTUAL_ENV=.venv uv pip install,$(BIN)/python -m pip install --disable-pip-version-check)
# What runs the tests is not what is tested: of these the versions of the day are taken.
TEST_TOOLS = $$($(BIN)/python -m pip freeze 2>/dev/null | grep -E '^(hypothesis|jsonschema|moto|pytest[a-z-]*|schemathesis)==')
PROCESS_TESTS := tests/integration tests/faults tests/attacks
ROUGH_TESTS := tests/rough tests/aws/test_probe.py
SIMULATED_TESTS := tests/simulation tests/property
BROWSER_TESTS := tests/browser
SAMPLES := $(wildcard samples/*/function_app.py samples/*/*/run.py)

.DEFAULT_GOAL := help
.PHONY: help start test test-browser screenshots moto processes terraform lowest simulate rough mutants chaos torture fuzz attacks check format bench clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

start: .venv/installed ## Start the host on this folder's app, the samples (ARGS="--port 8080 --verbose")
	@exec $(BIN)/funchost start . $(ARGS)

test: .venv/installed-dev ## Run the tests of what is in one process (ARGS="-k word tests/unit"; about 5 minutes)
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not moto" \
		$(addprefix --ignore=,$(PROCESS_TESTS) $(ROUGH_TESTS) $(SIMULATED_TESTS) $(BROWSER_TESTS)) $(ARGS)

test-browser: .venv/installed-dev ## Run the tests of the dashboard in a headless Chromium (2 to 4 minutes)
	@$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest -n 2 --dist worksteal $(BROWSER_TESTS) $(ARGS)

screenshots: .venv/installed-dev ## Take pictures of the dashboard's pages: those of the docs, and all in build/screenshots (ARGS="instance queues")
	@$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

moto: .venv/installed-dev ## Run the AWS tests on moto, too, a rough AWS and the probe (4 to 6 minutes; make test has the rest on ministack)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not moto" $(ROUGH_TESTS)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m moto $(addprefix --ignore=,$(PROCESS_TESTS) $(BROWSER_TESTS)) $(ARGS)

processes: .venv/installed-dev ## Run the tests of real host processes, their files, kills and faults (3 to 5 minutes)
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore=tests/integration/aws $(PROCESS_TESTS) $(ARGS)

simulate: .venv/installed-dev ## Simulate several hosts under every fault: its tests (a minute), then SEEDS=10000 worlds (about 25 minutes)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not moto" $(SIMULATED_TESTS)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

rough: .venv/installed-dev ## Run hosts on an AWS that throttles, fails and goes away, ROUGH=200 seeds (about 8 minutes)
	$(BIN)/python -m tests.rough --seeds $${ROUGH:-200} $(ARGS)

mutants: .venv/installed-dev ## Plant defects one at a time, and see that the simulator and a rough AWS find each (8 to 25 minutes)
	$(BIN)/python -m tests.simulation.mutations $(ARGS)
	$(BIN)/python -m tests.rough.mutations $(ARGS)

chaos: .venv/installed-dev ## Kill, freeze and starve hosts on one AWS hub, and cut their connections (about 2 minutes)
	$(BIN)/python -m pytest -s tests/integration/aws $(ARGS)

torture: .venv/installed-dev ## Kill 200 hosts under 20,000 orchestrations (6 minutes), then poison them and break their files (8 to 11 minutes)
	FUNCHOST_TORTURE=1 $(BIN)/python -m pytest -s \
		$${TORTURE:-tests/integration/torture tests/integration/poison tests/faults} $(ARGS)

fuzz: .venv/installed-dev ## Send hostile requests and files to a host (about 5 minutes)
	FUZZ_REQUESTS=$${FUZZ_REQUESTS:-20000} FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-100} \
		$(BIN)/python -m pytest -s tests/fuzz $(ARGS)

terraform: .venv/installed-dev ## Have Terraform check its module of a hub (a minute; FUNCHOST_TERRAFORM=folder of providers)
	FUNCHOST_TERRAFORM=$${FUNCHOST_TERRAFORM:-registry} $(BIN)/python -m pytest tests/aws/test_terraform.py $(ARGS)

lowest: .venv/installed-dev ## Run the quick tests with the lowest versions that pyproject.toml allows (about 3 minutes)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
		--only-binary :all: --no-binary funchost --editable '.[aws]' $(TEST_TOOLS)
	build/lowest/bin/python -m pytest -n 2 --dist worksteal -m "not aws" tests/unit tests/core tests/engine \
		tests/http tests/contract tests/golden tests/peer_bugs $(ARGS)

attacks: .venv/installed-dev ## Attack real hosts, with keys and without: at most 300 MiB, others served within 1 s (about 5 minutes)
	FUNCHOST_ATTACKS=1 $(BIN)/python -m pytest -s tests/attacks $(ARGS)

check: .venv/installed-dev ## Check format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@for sample in $(SAMPLES); do echo "mypy $$sample"; $(BIN)/mypy --no-error-summary "$$sample" || exit 1; done
	$(BIN)/lint-imports

format: .venv/installed-dev ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/installed-dev ## Run the benchmarks, one JSON line each
	$(BIN)/python -m benchmarks

clean: ## Remove the virtual environment and all caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist *.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=..." >&2; exit 1; }
	@echo "Making a virtual environment in .venv (once) ..."
	@$(PYTHON) -m venv .venv

# The stamps are newer than pyproject.toml once its dependencies are installed.
.venv/installed: pyproject.toml | .venv/bin/python
	@echo "Installing the host into .venv (once; up to a minute without uv) ..."
	@$(INSTALL) --editable .
	@touch $@

# Older pips know no dependency groups.
.venv/installed-dev: pyproject.toml | .venv/bin/python
	@echo "Installing the host and what its tests need into .venv (once; two minutes or more without uv) ..."
	@$(if $(shell command -v uv),,$(INSTALL) --upgrade 'pip>=25.1')
	@$(INSTALL) --editable . --group dev
	@touch $@ .venv/installed
