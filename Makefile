# Two commands for a fresh machine: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_OUT ?= demo-out

.PHONY: venv demo test check bench clean

venv: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tricklab needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,check]"
	@touch $@

# The main job on an embedded synthetic scene: does learning-rate decay or SE help a small HybridSN?
demo: venv
	$(BIN)/tricklab ablate demo "+step_decay(at=[6, 8])" +se --design both --blocks 5 --name demo --out $(DEMO_OUT)
	$(BIN)/tricklab predict $(DEMO_OUT)/demo/baseline/0
	$(BIN)/tricklab report $(DEMO_OUT)/demo/baseline/0
	@echo "open $(DEMO_OUT)/demo/report.html and $(DEMO_OUT)/demo/baseline/0/figures/class_map.png"

# SLOW=1 adds simulations, kill tests and trainings.
test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(ARGS)

check: venv
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy src/tricklab
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/test_architecture.py tests/test_registry.py tests/test_seeds.py tests/test_observe.py tests/recipe tests/statistics

bench: venv
	@for file in benchmarks/[!_]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) $(DEMO_OUT) build dist
