# Every target sets itself up: the first call makes .venv from requirements.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
PYTEST_ARGS ?= -n 2

.PHONY: demo test check simulate soak bench-sim setup clean

demo: $(READY) ## the whole story on the embedded simulated exchange, no keys
	@$(BIN)/bracketeer demo

test: $(READY) ## all tests, with branch coverage
	$(BIN)/python -m pytest $(PYTEST_ARGS) --cov --cov-report=
	$(BIN)/coverage report --include='src/core/*' --fail-under=95 --format=total
	$(BIN)/coverage report --fail-under=90

check: $(READY) ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: $(READY) ## random stories against the promises: RUNS= FIRST= many, SEED= one with its trace, DENSE=1 with more trouble, ONLY= a named one, LIST=1 their names, CRASHES=1 the demo's day killed at each effect, MUTANT= with a deliberate bug until it is found
	@$(BIN)/python -m tests.simulation $(if $(RUNS),--runs $(RUNS)) $(if $(FIRST),--first $(FIRST)) $(if $(SEED),--seed $(SEED)) $(if $(SHRINK),--shrink) $(if $(DENSE),--dense) $(if $(ONLY),--only $(ONLY)) $(if $(LIST),--list) $(if $(CRASHES),--crashes) $(if $(MUTANT),--mutant $(MUTANT)) $(if $(REPORT),--report $(REPORT))

soak: $(READY) ## days of virtual time, EVENTS= (1000000) requests and stream events: nothing may grow
	@$(BIN)/python -m tests.simulation.soak $(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED))

bench-sim: $(READY)  ## speed of the simulated exchange, in process and over loopback
	@$(BIN)/python -m tests.bench.simulator

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "bracketeer needs Python 3.11 or newer; none was found on PATH"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "bracketeer needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $(READY)

clean:
	rm -rf .venv .coverage .coverage.* htmlcov .mypy_cache .pytest_cache .ruff_cache .hypothesis
