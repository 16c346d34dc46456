# The project's verbs. `make help` lists them.
SWIFT_FLAGS := --explicit-target-dependency-import-check error
SERVER := .build/release/avatar-streamer
ARGS ?=
# Swift tests at a time: most wait for something, but each has threads, children and descriptors of its own.
SIDE_BY_SIDE_UNITS := 64
# End-to-end tests that share no port with others: they mostly wait, and do so together.
SIDE_BY_SIDE := $(wildcard Tests/EndToEnd/test_robot_control*.py) $(addprefix Tests/EndToEnd/,test_control_page.py test_packaging.py test_socketio_javascript.py)

.DEFAULT_GOAL := help
.PHONY: help setup build run test unit-test engine-test engine-test-musetalk worker-test go2-simulator-test e2e-test conformance-build bench bench-build soak first-picture lint format fuzz tsan asan docs clean

help: ## list the verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## install the Debian and Python packages that building and testing need
	@scripts/setup test

build: ## build the server, optimised
	@swift build $(SWIFT_FLAGS) -c release --product avatar-streamer

run: ## set up, build and start the server on its defaults (ARGS="--config FILE" for others)
	@scripts/setup run
	@$(MAKE) --no-print-directory build
	@exec $(SERVER) serve $(ARGS)

test: setup unit-test engine-test engine-test-musetalk worker-test go2-simulator-test e2e-test ## set up, build and run every test, a real browser included

unit-test: ## the Swift tests alone
	@swift test $(SWIFT_FLAGS) --disable-xctest --experimental-maximum-parallelization-width $(SIDE_BY_SIDE_UNITS)

engine-test: ## the Python library for engines and its engines, without the server
	@.venv/bin/python -m compileall -q Engines/src
	@.venv/bin/python -m pytest -q Tests/Engines --ignore-glob='*/test_musetalk_*.py'

worker-test: ## the worker of operators' Python projects, the default project and the examples, without the server
	@.venv/bin/python -m pytest -q -n 4 Tests/Workers

engine-test-musetalk: ## the MuseTalk engine on tiny random weights, in its own environment
	@OMP_NUM_THREADS=2 .venv-musetalk/bin/python -m pytest -q -W ignore::pytest.PytestConfigWarning Tests/Engines/test_musetalk_*.py

go2-simulator-test: ## the simulated robot against the public client, in a network namespace of its own
	@.venv/bin/python -m pytest -q Tests/Go2Simulator

e2e-test: build bench-build conformance-build ## the tests that drive the built server with Chromium, aiortc and coturn
	@.venv/bin/python -m pytest -q -n 3 $(SIDE_BY_SIDE)
	@.venv/bin/python -m pytest -q Tests/EndToEnd $(addprefix --ignore=,$(SIDE_BY_SIDE))

bench-build:
	@swift build $(SWIFT_FLAGS) -c release --product StreamerBench

conformance-build:
	@swift build $(SWIFT_FLAGS) -c release --product SocketIOConformance

bench: bench-build ## measure the cost of a viewer, of a packet and of a frame, as ratios within one run
	@.build/release/StreamerBench $(ARGS)

soak: build bench-build ## an hour of viewers coming and going; memory and descriptors must stay flat (ARGS="--minutes 5")
	@.venv/bin/python Tests/EndToEnd/soak.py $(ARGS)

first-picture: build ## how long a fresh page in Chromium waits for its first picture
	@.venv/bin/python Tests/EndToEnd/measure_first_picture.py $(ARGS)

lint: ## formatting, the import table, file lengths
	@swift format lint --strict --parallel -r Package.swift Sources Tests Benchmarks Fuzz
	@scripts/lint-imports
	@scripts/lint-lengths

format: ## bring the sources into the house's format
	@swift format -i --parallel -r Package.swift Sources Tests Benchmarks Fuzz

fuzz: ## run every fuzz target for FUZZ_SECONDS (60) under AddressSanitizer
	@scripts/fuzz $${FUZZ_SECONDS:-60}

tsan: ## the Swift tests under ThreadSanitizer (ARGS="--filter MediaLoopTests")
	@scripts/tsan $(ARGS)

asan: ## the Swift tests under AddressSanitizer
	@scripts/asan $(ARGS)

docs: ## build the symbol documentation into .build/docs
	@scripts/docs

clean: ## remove what was built
	@rm -rf .build .build-fuzz .build-tsan .build-asan var/fuzz var/tsan var/asan
