# Two commands on a fresh machine with Python 3.11 or newer: make demo, make test.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 3
PYTHON2 ?= python2.7
TOOLS  := kiosk/node_modules/.installed

.PHONY: help venv models demo kiosk test lint types unit e2e machines wheelhouse offline chaos format bench soak bench-cells bench-plumbing bench-video docs docs-config docs-protocol lock

help: ## show the targets
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

venv: $(STAMP) ## make the virtual environment and install everything into it

$(STAMP): setup.cfg pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[bench,test,demo,docs,load,oip,openvino,traces,video]'
	@touch $@

models: $(STAMP) ## get the model files that are not there yet
	$(BIN)/lunapass models pull

demo: models ## play a synthetic person against a service (CAMERA=1 leaves it running)
	$(BIN)/lunapass demo $(if $(filter 1,$(CAMERA)),--camera)

test: lint types unit e2e machines ## everything that must pass

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

unit: models $(if $(shell command -v npm),$(TOOLS)) ## run the tests of single packages
	$(BIN)/pytest -n $(JOBS) --ignore=tests/e2e --ignore=tests/machines

e2e: models ## run the tests of the whole service
	$(BIN)/pytest -n $(JOBS) tests/e2e

machines: models ## run it under systemd, behind proxies and on two hosts (as root)
	$(BIN)/pytest -n $(JOBS) --dist loadfile --ignore=tests/machines/test_offline.py tests/machines

chaos: $(STAMP) ## break everything while a crowd plays (SECONDS=300 SEED=random)
	$(BIN)/python -m tests.chaos $(or $(SECONDS),300) $(SEED)

.PHONY: audit fuzz conformance bench-connections bench-memory bench-floods bench-slow-lines

audit: $(STAMP) ## look for known holes in what is installed, where the database can be reached
	test -x build/audit/bin/pip-audit || ( $(PYTHON) -m venv build/audit && \
	  build/audit/bin/pip install --quiet pip-audit )
	timeout 120 build/audit/bin/pip-audit --progress-spinner off --timeout 10 \
	  --path $(VENV)/lib/python3*/site-packages

fuzz: $(STAMP) ## feed the parsers mutated input (a million texts, 100,000 pictures and more)
	$(BIN)/pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

conformance: $(STAMP) ## run Autobahn's WebSocket suite against the gateway (PYTHON2=python2.7)
	test -x build/wstest/bin/wstest || ( \
	  $(PYTHON2) -m pip install --quiet --target build/virtualenv 'virtualenv<20.22' && \
	  PYTHONPATH=build/virtualenv $(PYTHON2) -m virtualenv --quiet build/wstest && \
	  build/wstest/bin/pip install --quiet autobahntestsuite==0.8.2 )
	$(BIN)/python -m tests.conformance build/wstest/bin/wstest

wheelhouse: models ## make the archive for installs without network in build/
	$(BIN)/python -m deploy.wheelhouse

offline: models ## install from that archive without network and run the demonstration there (as root)
	$(BIN)/pytest -n 0 tests/machines/test_offline.py

format: $(STAMP) ## format, and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: models ## run the benchmarks (ONLY=efficiency,latency for some), write build/bench.json
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(filter 1,$(DOCUMENT)),--document)

soak: models ## play a crowd against a service of its own for SECONDS (600), write build/soak
	$(BIN)/python -m benchmarks.soak $(or $(SECONDS),600)

bench-video: $(STAMP) ## compare the video worker with the ffmpeg command
	$(BIN)/python -m benchmarks.video

bench-cells: models ## print frames a second and CPU for each frame by cells and workers
	$(BIN)/python -m benchmarks.cells

bench-plumbing: $(STAMP) ## print the CPU of gateway and aggregator for each frame
	$(BIN)/python -m benchmarks.plumbing

bench-connections: $(STAMP) ## print the memory of 2,000 idle connections
	$(BIN)/python -m benchmarks.connections

bench-memory: $(STAMP) ## print the gateway's memory before and after 1,000 short sessions with frames of 4 MB
	$(BIN)/python -m benchmarks.short_sessions

bench-floods: $(STAMP) ## print the latency of honest kiosks beside floods (SECONDS=10 of each turn)
	$(BIN)/python -m benchmarks.floods --seconds $(or $(SECONDS),10)

bench-slow-lines: $(STAMP) ## print who gets RESULT on slow and lossy lines, and how soon (needs root)
	$(BIN)/python -m benchmarks.slow_lines

docs: $(STAMP) ## make the documentation's pages in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-protocol: $(STAMP) ## make the schemas and the table of codes from the code
	$(BIN)/python -m lunapass.protocol_docs docs

docs-config: $(STAMP) ## make the configuration's file and reference from its schema
	$(BIN)/lunapass config show --defaults > config/lunapassapi.config.toml
	$(BIN)/lunapass config docs > docs/configuration.md
	$(BIN)/lunapass video defaults > config/lunapassvideo.config.toml
	$(BIN)/lunapass video task > config/lunapassvideo.task.py

lock: $(STAMP) ## take the installed versions into requirements.lock
	$(BIN)/pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > requirements.lock
	@touch $(STAMP)
