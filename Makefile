# Every command a newcomer needs. `make demo` and `make test` do all their own set-up; only Python (with venv) and make are assumed.
PYTHON ?= python3
PORT   ?= 8000
DATA   ?= build/serve
BIN    := .venv/bin

.PHONY: demo test quick sim serve clean lock

demo: .venv/.runtime
	$(BIN)/tradehall demo --input examples/road-maintenance --out build/demo

serve: .venv/.runtime
	$(BIN)/tradehall serve --demo --data $(DATA) --port $(PORT)

sim: .venv/.runtime
	$(BIN)/tradehall sim --tenders 2000 --out build/sim/table.txt

test:
	@$(PYTHON) tests/run.py all

quick: .venv/.test
	@$(PYTHON) tests/run.py quick

clean:
	rm -rf build .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

.venv/.bootstrap: requirements-bootstrap.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	@touch $@

.venv/.runtime: .venv/.bootstrap requirements.txt pyproject.toml
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.test: .venv/.runtime requirements-test.txt
	$(BIN)/uv pip install --quiet --require-hashes -r requirements-test.txt
	@touch $@

# For whoever changes a dependency: pins with hashes, no addresses.
lock: .venv/.bootstrap
	$(BIN)/uv lock
	$(BIN)/uv export -q --no-default-groups --no-header --no-emit-project --format requirements-txt -o requirements.txt
	$(BIN)/uv export -q --no-header --no-emit-project --group test --format requirements-txt -o requirements-test.txt
	$(BIN)/uv export -q --no-header --no-emit-project --only-group bench --format requirements-txt -o requirements-bench.txt
	rm -f uv.lock
