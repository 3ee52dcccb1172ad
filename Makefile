# Two commands on a fresh machine: `make demo` and `make test`. Neither asks a
# question nor needs root, a GPU, a server or torch.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-vm lint types check wheel bench bench-forecast chaos clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/python examples/resource_management_demo.py --simulate-load

test: $(VENV)/.installed
	$(BIN)/python -m pytest -q

# The tests of tests/vm/guest on a real kernel in QEMU; ARGS="-k hwmon" goes to pytest there.
test-vm: $(VENV)/.installed
	$(BIN)/python -m tests.vm -- $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy -p amptalk -p src.core -p tests -p benchmarks.forecasting -p benchmarks.serving \
		-p benchmarks.dividing -p benchmarks.together -p benchmarks.running

check: lint types test

wheel: $(VENV)/.installed
	$(BIN)/python -m build --wheel --outdir dist .

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/sampling.py

# Forecasts beside public methods; with ".[bench]" installed also river's and statsforecast's.
bench-forecast: $(VENV)/.installed
	$(BIN)/python benchmarks/forecast.py $(ARGS)

# Processes that share a ledger, killed 1000 times; the tests do it some times.
chaos: $(VENV)/.installed
	$(BIN)/python -m tests.sharing.ledgers.chaos --kills 1000 $(ARGS)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
