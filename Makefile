# Everything a developer or CI does here. `make` lists it.
# Rules of this file: a target is one .PHONY line with its help; only `fmt`, `diagrams`, `pictures`, `bench`, `lock` and
# what `fuzz` finds change files of the project; PYTHON names the interpreter that .venv is built with.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := $(VENV)/.demo
DOCS := $(VENV)/docs
RELEASE := $(VENV)/release
PEERS := $(VENV)/peers
PORTS := pycurl gevent niquests
LOWEST := .venv-lowest
CONSUMERS := $(VENV)/consumers
CONSUMER_LOCKS := $(wildcard tests/consumers/locks/*.lock)
CORE_TESTS := tests/core tests/transport tests/stores/test_files.py tests/stores/test_file_store.py tests/tokens/test_token_source.py
HOUSE_TESTS := $(foreach it,purity diagrams structure layout product_names english docs docstrings,tests/house/test_$(it).py)
LINTED := core adapters tests docs

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help ## list the targets
help:
	@grep -E '^\.PHONY: [a-z-]+ ## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^\.PHONY: ([a-z-]+) ## (.*)/\1\t\2/' \
		| awk -F '\t' '{ n = split($$2, words, " "); line = sprintf("  make %-13s", $$1); \
			for (i = 1; i <= n; i++) { \
				if (length(line) + 1 + length(words[i]) > 80) { print line; line = sprintf("%20s", "") } \
				line = line " " words[i] } \
			print line }'

.PHONY: install ## build .venv from the hash-locked requirements (again only when they change)
install: $(STAMP)

PYTHON_IS_NEW := $(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("codex-oauth needs Python 3.11 or newer; %s is %d.%d. Name another one: make PYTHON=python3.12" % (sys.executable, *v[:2]))'
HAS_VENV := $(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)

$(STAMP): requirements.lock pyproject.toml tests/tokens/openai2.lock
	@$(PYTHON_IS_NEW)
	@$(HAS_VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	rm -rf $(VENV)/openai2
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --target $(VENV)/openai2 -r tests/tokens/openai2.lock
	@touch $@

$(PEERS)/.installed: $(STAMP) tests/bench/peers.lock
	rm -rf $(PEERS)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --target $(PEERS) -r tests/bench/peers.lock
	@touch $@

# libraries that the product does not know, each in an environment of its own: docs/ports.md
$(PORTS:%=$(VENV)/ports/%/.installed): $(VENV)/ports/%/.installed: tests/ports/%.lock $(STAMP)
	$(BIN)/uv --quiet venv --clear --python $(BIN)/python $(@D)
	$(BIN)/uv --quiet pip install --python $(@D)/bin/python --no-deps --require-hashes -r $<
	@touch $@

$(VENV)/ports/pyodide/.installed: tests/ports/pyodide/package-lock.json tests/ports/libraries.py $(STAMP)
	rm -rf $(@D)
	mkdir -p $(@D)
	cp tests/ports/pyodide/package.json tests/ports/pyodide/package-lock.json $(@D)
	npm --prefix $(@D) ci --silent --ignore-scripts --no-audit --no-fund
	$(BIN)/python -m tests.ports.libraries $(@D)/python
	@touch $@

.PHONY: ports ## environments for the ports of docs/ports.md, and all their checks (needs npm)
ports: $(PORTS:%=$(VENV)/ports/%/.installed) $(VENV)/ports/pyodide/.installed
	$(BIN)/python -m pytest -q -n 2 tests/ports/test_gallery.py tests/ports/test_pyodide.py tests/ports/test_pyodide_page.py

# what the demonstration needs, and nothing else; `make install` adds the rest to the same .venv
$(DEMO): docs/demo/demo.lock
	@$(PYTHON_IS_NEW)
	@$(HAS_VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r docs/demo/demo.lock
	@touch $@

.PHONY: demo ## sign in at an authorization server of the demo's own, and make one model call there
demo: $(DEMO)
	@PYTHONPATH=core:adapters $(BIN)/python -m codex_oauth.cli.main demo

.PHONY: demo-fleet ## ten people sign in over a PostgreSQL of the demo's own, and a worker is killed meanwhile
demo-fleet: $(STAMP)
	@$(BIN)/python docs/demo/fleet_demo.py

# quick, test, nightly: ADR 0024; what `quick` and `nightly` run is named in tests/quick.txt and tests/nightly.txt
CHANGED = $(shell git diff --name-only --diff-filter=d HEAD -- '*.py'; git ls-files --others --exclude-standard -- '*.py')

.PHONY: quick ## at every save: lint, types of what changed, and the tests that find most
quick: lint
	$(BIN)/mypy core adapters
	@changed='$(CHANGED)'; if [ -n "$$changed" ]; then $(BIN)/pyright $$changed; fi
	$(BIN)/python -m pytest -q -n 2 @tests/quick.txt

# four workers on two cores, because most tests wait for something; the types are looked at meanwhile, and what they
# say comes at the end if it is no good news
.PHONY: test ## at every change: lint, types, import rules, the tests, and it changes nothing; CI adds `pythons` and `lowest`
test: lint imports
	@said=$$(mktemp); trap 'rm -f $$said' EXIT; $(MAKE) types > $$said 2>&1 & types=$$!; \
	$(BIN)/python -m pytest -n 4 --dist worksteal -m 'not nightly' && tests=0 || tests=1; \
	if ! wait $$types; then cat $$said; exit 1; fi; exit $$tests

.PHONY: nightly ## every night: what `test` leaves out, and consumers, props, sim, storm, fuzz and mutants
nightly: test $(PORTS:%=$(VENV)/ports/%/.installed) $(VENV)/ports/pyodide/.installed
	$(BIN)/python -m pytest -n 2 -m nightly
	$(MAKE) consumers props sim storm fuzz mutants

.PHONY: mutants ## put faults into copies of the core and run the tests (SEED=0 COUNT=50 MUTANTS="--quick --fail-under 95")
mutants: $(STAMP)
	$(BIN)/python -m tests.mutation --seed $(or $(SEED),0) --count $(or $(COUNT),50) $(MUTANTS)

.PHONY: pythons ## a fast part of the tests on every other Python of this machine, in .venv-3.x
pythons: $(STAMP)
	$(BIN)/python -m tests.house.pythons

$(LOWEST)/.installed: $(STAMP) tests/house/lowest.lock
	$(BIN)/uv --quiet venv --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv --quiet pip install --python $(LOWEST)/bin/python --no-deps --require-hashes -r tests/house/lowest.lock
	@touch $@

# without the ports to other libraries, which the product does not need
.PHONY: lowest ## the core of the tests with the lowest versions that pyproject.toml allows
lowest: $(LOWEST)/.installed
	PYTHONPATH=core:adapters $(LOWEST)/bin/python -m pytest -q -n 2 -p no:cacheprovider -m 'not nightly' -k "not propert and not aiohttp and not twisted" \
		--ignore tests/transport/test_settings.py --ignore tests/transport/test_unlogged.py $(CORE_TESTS)

.PHONY: check ## within a minute: lint, types of the product, import rules, drawn and written files, the house
check: lint imports
	$(BIN)/mypy core adapters
	$(BIN)/pyright core adapters
	$(BIN)/python docs/diagrams/draw.py --check
	$(BIN)/python -m docs.diagrams.live --check
	$(BIN)/python -m docs.pictures.write --check
	$(BIN)/python -m docs.command.write --check
	$(BIN)/python -m docs.stubs.write --check
	$(BIN)/python -m pytest -q -n 2 $(HOUSE_TESTS)

.PHONY: lint ## ruff: rules and format
lint: $(STAMP)
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)

.PHONY: types ## mypy and pyright, both strict
types: $(STAMP)
	$(BIN)/mypy
	$(BIN)/pyright

.PHONY: imports ## who may import whom
imports: $(STAMP)
	$(BIN)/lint-imports --config tests/house/imports.ini

.PHONY: fmt ## write: format, fixes of ruff, completion files, man page, .pyi files, list of the wheel
fmt: $(STAMP)
	$(BIN)/ruff check --fix $(LINTED)
	$(BIN)/ruff format $(LINTED)
	$(BIN)/python -m docs.command.write
	$(BIN)/python -m docs.stubs.write
	$(BIN)/python -m docs.release.check --write

.PHONY: props ## the property tests, with many more examples
props: $(STAMP)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n 2 -m hypothesis

.PHONY: sim ## the simulation: every interleaving of two processes, and a hundred thousand schedules of up to five (SIM="--runs N --seed S --replay S", "--exhaustive")
sim: $(STAMP)
	$(BIN)/python -m tests.simulation $(SIM)

.PHONY: storm ## the same with real processes: killed, stopped, out of space, cut off (STORM="--rounds N", "--database")
storm: $(STAMP)
	$(BIN)/python -m tests.storm $(STORM)

.PHONY: fuzz ## search for bytes that break the callback receiver or a reader (FUZZ_SECONDS=60 each)
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz.fuzz_receiver --seconds $(or $(FUZZ_SECONDS),60)
	$(BIN)/python -m tests.fuzz.fuzz_readers --seconds $(or $(FUZZ_SECONDS),60)

.PHONY: bench ## measure beside the peers, and write docs/performance.md (ROWS=P3,P6 ROUNDS=5: some rows, written nowhere; RELEASED=0.1.0: keep the page's figures as that release's)
bench: $(PEERS)/.installed
	$(BIN)/python -m tests.bench $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(RELEASED),--released $(RELEASED))

.PHONY: diagrams ## write: draw the state machines from their tables, and the data of the page that has them live
diagrams: $(STAMP)
	$(BIN)/python docs/diagrams/draw.py
	$(BIN)/python -m docs.diagrams.live

.PHONY: pictures ## write: the picture in README.md, from the screen that the tests keep
pictures: $(STAMP)
	$(BIN)/python -m docs.pictures.write

$(DOCS)/.installed: docs/site/docs.lock
	@$(PYTHON_IS_NEW)
	@$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes -r docs/site/docs.lock
	@touch $@

.PHONY: docs ## build the documentation site into build/site, strictly, and look at every link of it
docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs --quiet build
	$(DOCS)/bin/python -m docs.site.check build/site
	@echo "The site is in build/site: open build/site/index.html"

.PHONY: interop ## the real Codex CLI signs in against our authority (needs npm, and 400 MB for a while)
interop: $(STAMP)
	$(BIN)/python tests/interop/codex_cli.py

# one environment each, because they want different versions of the same libraries
$(CONSUMERS)/%/.installed: tests/consumers/locks/%.lock $(STAMP)
	$(BIN)/uv --quiet venv --clear --python $(BIN)/python $(@D)
	$(BIN)/uv --quiet pip install --python $(@D)/bin/python --no-deps --require-hashes -r $<
	@touch $@

.PHONY: consumers ## the real packages that people use a login with, each in an environment of its own, against the model stub (700 MB)
consumers: $(CONSUMER_LOCKS:tests/consumers/locks/%.lock=$(CONSUMERS)/%/.installed)
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/consumers/check_consumers.py

.PHONY: build ## wheel and sdist into dist/
build: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

$(RELEASE)/.installed: docs/release/release.lock
	@$(PYTHON_IS_NEW)
	@$(PYTHON) -m venv --clear $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --require-hashes -r docs/release/release.lock
	@touch $@

.PHONY: release-check ## build what a release has into dist/, twice, and look at it: bytes, metadata, contents, installed (TAG=v1.2.3: of that version)
release-check: $(RELEASE)/.installed
	$(RELEASE)/bin/python -m docs.release.check $(if $(value TAG),--tag "$$TAG")

RESOLVE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header

.PHONY: lock ## write: resolve requirements.lock, and those of the other environments, again from pyproject.toml
lock: $(STAMP)
	$(RESOLVE) --extra dev pyproject.toml -o requirements.lock
	$(RESOLVE) --extra bench pyproject.toml -o tests/bench/peers.lock
	for port in $(PORTS); do $(RESOLVE) pyproject.toml tests/ports/$$port.in -o tests/ports/$$port.lock; done
	$(RESOLVE) --resolution lowest-direct --extra aiohttp --extra authority --extra chatgpt --extra cli --extra keyring --extra postgres \
		pyproject.toml tests/house/lowest.in -o tests/house/lowest.lock
	for each in tests/consumers/locks/*.in; do $(RESOLVE) pyproject.toml $$each -o $${each%.in}.lock; done
	$(RESOLVE) --extra authority --extra cli -c requirements.lock pyproject.toml -o docs/demo/demo.lock
	$(RESOLVE) --group docs -o docs/site/docs.lock
	$(RESOLVE) --group release -o docs/release/release.lock

.PHONY: clean ## remove builds and caches (not .venv)
clean:
	rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find $(LINTED) -name __pycache__ -type d -prune -exec rm -rf {} +
