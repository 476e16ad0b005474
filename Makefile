# Two commands on a fresh machine with Python 3.11 or newer: make demo, make test.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 6
PYTHON2 ?= python2.7
TOOLS  := kiosk/node_modules/.installed
EXPRESS := build/express/.installed
PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ignore=tests/machines/test_offline.py
# Tests start hundreds of processes; without files of bytecode each would compile the program.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv models demo kiosk pictures test lint types tests unit e2e machines wheelhouse offline chaos format bench soak bench-cells bench-plumbing bench-video deb docs docs-config docs-pictures docs-protocol lock

help: ## show the targets
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

venv: $(STAMP) ## create the virtual environment and install everything

$(STAMP): setup.cfg pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[adapt,bench,test,demo,docs,load,oip,openvino,traces,video]'
	@touch $@

models: $(STAMP) ## fetch missing model files
	$(BIN)/lunapass models pull

demo: models ## start the service and check a synthetic person (CAMERA=1 keeps it running)
	$(BIN)/lunapass demo $(if $(filter 1,$(CAMERA)),--camera)

test: lint ## run everything that must pass
	$(MAKE) --no-print-directory --jobs=2 types tests

lint: $(STAMP) ## check style and docstrings
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP) ## check types
	$(BIN)/mypy

kiosk: $(TOOLS) ## build the browser library and the page into kiosk/dist
	cd kiosk && npm run --silent types && npm run --silent build

$(TOOLS): kiosk/package.json kiosk/package-lock.json
	cd kiosk && npm ci --silent --ignore-scripts
	@touch $@

$(EXPRESS): # for the test of docs/examples/server_express.mjs
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(@D) express@5.3.0
	@touch $@

pictures: $(STAMP) ## save contact sheets of every screen of the kiosk page, and check their size and accessibility (FOLDER=build/pictures)
	$(BIN)/python -m tests.support.pictures $(or $(FOLDER),build/pictures)

tests: models $(if $(shell command -v npm),$(TOOLS) $(EXPRESS)) ## run all tests
	$(PYTEST)

unit: models $(if $(shell command -v npm),$(TOOLS) $(EXPRESS)) ## run the tests of single packages
	$(PYTEST) --ignore=tests/e2e --ignore=tests/machines

e2e: models ## run the tests of the whole service
	$(PYTEST) tests/e2e

machines: models ## run the tests under systemd, behind proxies and on two hosts (as root)
	$(PYTEST) tests/machines

chaos: $(STAMP) ## kill, stop and starve all roles under load (SECONDS=300 SEED=random)
	$(BIN)/python -m tests.chaos $(or $(SECONDS),300) $(SEED)

.PHONY: audit fuzz conformance bench-connections bench-memory bench-floods bench-slow-lines bench-tab

audit: $(STAMP) ## look for known vulnerabilities of installed packages, if the database can be reached
	test -x build/audit/bin/pip-audit || ( $(PYTHON) -m venv build/audit && \
	  build/audit/bin/pip install --quiet pip-audit )
	timeout 120 build/audit/bin/pip-audit --progress-spinner off --timeout 10 \
	  --path $(VENV)/lib/python3*/site-packages

fuzz: $(STAMP) ## give the parsers mutated input (a million texts, 100,000 images and more)
	$(BIN)/pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

conformance: $(STAMP) ## run Autobahn's WebSocket suite against the gateway (PYTHON2=python2.7)
	test -x build/wstest/bin/wstest || ( \
	  $(PYTHON2) -m pip install --quiet --target build/virtualenv 'virtualenv<20.22' && \
	  PYTHONPATH=build/virtualenv $(PYTHON2) -m virtualenv --quiet build/wstest && \
	  build/wstest/bin/pip install --quiet autobahntestsuite==0.8.2 )
	$(BIN)/python -m tests.conformance build/wstest/bin/wstest

wheelhouse: models ## build the archive for machines without a network in build/
	$(BIN)/python -m deploy.wheelhouse

deb: models ## build the Debian package for this machine's release in build/
	$(BIN)/python -m deploy.deb

offline: models ## install the wheelhouse archive without a network and run the demonstration (as root)
	$(BIN)/pytest -n 0 tests/machines/test_offline.py

format: $(STAMP) ## format the code and fix what can be fixed automatically
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: models ## run the benchmarks (ONLY=efficiency,latency for some), write build/bench.json
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(filter 1,$(DOCUMENT)),--document)

soak: models ## load-test a temporary service for SECONDS (600), write build/soak
	$(BIN)/python -m benchmarks.soak $(or $(SECONDS),600)

bench-video: $(STAMP) ## compare the video worker with the ffmpeg command
	$(BIN)/python -m benchmarks.video

bench-cells: models ## print frames per second and CPU per frame by cells and workers
	$(BIN)/python -m benchmarks.cells

bench-plumbing: $(STAMP) ## print the CPU of gateway and aggregator per frame
	$(BIN)/python -m benchmarks.plumbing

bench-connections: $(STAMP) ## print the memory of 2,000 idle connections
	$(BIN)/python -m benchmarks.connections

bench-memory: $(STAMP) ## print the gateway's memory before and after 1,000 short sessions with frames of 4 MB
	$(BIN)/python -m benchmarks.short_sessions

bench-floods: $(STAMP) ## print the latency of honest kiosks during floods (SECONDS=10 for each)
	$(BIN)/python -m benchmarks.floods --seconds $(or $(SECONDS),10)

bench-tab: $(STAMP) ## print the memory of the kiosk page during 500 checks in one tab (Chromium)
	$(BIN)/python -m tests.support.tab_memory

bench-slow-lines: $(STAMP) ## print which clients get RESULT on slow and lossy lines, and when (needs root)
	$(BIN)/python -m benchmarks.slow_lines

docs: $(STAMP) ## build the documentation in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-pictures: models ## film the kiosk page (Chromium) for docs/pictures
	$(BIN)/python -m tests.product_pictures

docs-protocol: $(STAMP) ## generate the schemas and the table of codes from the code
	$(BIN)/python -m lunapass.protocol_docs docs

docs-config: $(STAMP) ## generate the configuration files and their reference from the schema
	$(BIN)/lunapass config show --defaults > config/lunapassapi.config.toml
	$(BIN)/lunapass config docs > docs/configuration.md
	$(BIN)/lunapass video defaults > config/lunapassvideo.config.toml
	$(BIN)/lunapass video task > config/lunapassvideo.task.py

lock: $(STAMP) ## write the installed versions to requirements.lock
	$(BIN)/pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > requirements.lock
	@touch $(STAMP)
