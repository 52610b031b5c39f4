# Every command a newcomer needs. `make demo` and `make test` do all their own set-up; only Python (with venv) and make are assumed.
PYTHON ?= python3
PORT   ?= 8000
DATA   ?= build/serve
BIN    := .venv/bin

.PHONY: demo pages tour check test test-fresh quick sim mutations bench bench-production serve clean lock production-local test-production test-browser

demo: .venv/.runtime
	$(BIN)/tradehall demo --input examples/road-maintenance --out build/demo

serve: .venv/.runtime
	$(BIN)/tradehall serve --demo --data $(DATA) --port $(PORT)

sim: .venv/.runtime
	$(BIN)/tradehall sim --tenders 2000 --out build/sim/table.txt

test:
	@$(PYTHON) tests/run.py all

# Both commands of the README on a machine made for it: a minimal Debian in a folder, or a clean clone (it says which).
test-fresh:
	@$(PYTHON) tests/fresh.py

check: .venv/.test
	@$(PYTHON) tests/run.py static

quick: .venv/.test
	@$(PYTHON) tests/run.py quick

# Every kind of change twice and 2,000 byte flips, of both bundles, not the seeded share of one that `make test` tries: some
# minutes. The tender is played without growing its one attachment to 200 MB, which would make each verdict slower.
mutations: .venv/.test
	test -e build/mutations/trust.json || $(BIN)/python -m portal.demo.play examples/road-maintenance build/mutations 1
	TRADEHALL_DEMO=build/mutations TRADEHALL_MUTATIONS=full \
		$(BIN)/python -m pytest -q -rP -n 2 -k mutation tests/portal/test_demo.py

# Ratios against something public in the same run; writes build/bench and docs/benchmarks.md.
bench: .venv/.bench
	$(BIN)/python bench/run.py

# Real servers and one process a role on loopback, settings in build/production; Ctrl-C ends them all.
production-local: .venv/.test
	$(BIN)/python -m tests.production.local build/production

# The split processes on real servers under load: docs/benchmarks.md, docs/scale.md. Parts by name: PARTS="burst viewers".
bench-production: .venv/.bench
	@$(PYTHON) tests/packages.py
	$(BIN)/python bench/production.py $(PARTS)

# The browser part as `make test` has it, with 300 MB sealed where that has 30, and every pair of language and width.
test-browser: .venv/.test
	@$(PYTHON) tests/packages.py
	TRADEHALL_REAL_SIZE=1 TRADEHALL_WIDTHS=all $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/browser

test-production: .venv/.test
	@$(PYTHON) tests/packages.py
	$(BIN)/python -m pytest -q -m production tests/production

# Pictures of every page of every door, in both languages, at both widths: build/pages/index.html.
pages: .venv/.test
	@$(PYTHON) tests/packages.py
	PAGES_TO=build/pages $(BIN)/python -m pytest -q tests/browser/test_crawl.py

# The pictures of docs/tour.md, taken by the tests on the way.
tour: .venv/.test
	@$(PYTHON) tests/packages.py
	TOUR_TO=docs/tour TRADEHALL_WIDTHS=all $(BIN)/python -m pytest -q tests/browser/test_journey.py -k "en-1366 or zh-390"

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

.venv/.bench: .venv/.test requirements-bench.txt
	$(BIN)/uv pip install --quiet --require-hashes -r requirements-bench.txt
	@touch $@

# For whoever changes a dependency: pins with hashes, no addresses.
lock: .venv/.bootstrap
	$(BIN)/uv lock
	$(BIN)/uv export -q --no-default-groups --no-header --no-emit-project --format requirements-txt -o requirements.txt
	$(BIN)/uv export -q --no-header --no-emit-project --group test --format requirements-txt -o requirements-test.txt
	$(BIN)/uv export -q --no-header --no-emit-project --only-group bench --format requirements-txt -o requirements-bench.txt
	rm -f uv.lock
