# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
SWIFT ?= swift
# What is built beside the C library takes its flags: what both are made of is compiled once.
LIBRARY_FLAGS := $(shell cat Tools/library-flags)
SEED ?= 1
COUNT ?= 100
SCENARIO ?= small
SECONDS_EACH ?= 60
TARGET ?= packet
INTEROP_FLAGS ?=
BROWSER_FLAGS ?=
CYCLES ?= 1000
STRESS_CYCLES ?= 10000
SMALL ?= 600
LARGE ?= 5
CONTROLLED ?= 100
CROWD ?= 1
MEMBERS ?= 2000
STORMS ?= 200
SEVERAL ?= 50
STARTS ?= 100
STRESS_SECONDS ?= 10
STRESS_PAIRS ?= 5000
FLOOD_SECONDS ?= 60
CASES ?= 10000

.DEFAULT_GOAL := help
# Every name that is followed by a colon below.
TARGETS := $(shell sed -nE 's/^([a-z][a-z_ -]*):.*/\1/p' $(MAKEFILE_LIST))
.PHONY: $(TARGETS)

help: ## list the commands
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

requirements: ## look for what the build needs, and install what is missing where that is possible
	@Tools/requirements tests

build_requirements:
	@Tools/requirements

demo: build_requirements ## nodes on this machine: online, relayed, direct, ping, 100 MB, a private network; no internet, no privileges
	$(SWIFT) build -c release --product zerotier
	.build/release/zerotier demo

# A test that ends the process says where, and only that: the way of every thread of all tests takes longer than the tests.
# Sixteen at a time: all at once have a thousand threads, and whoever waits for another waits for all of them.
test: requirements ## build everything and run all tests
	$(SWIFT) build --build-tests
	SWIFT_BACKTRACE=$${SWIFT_BACKTRACE-threads=crashed,images=none} $(SWIFT) test --skip-build --experimental-maximum-parallelization-width 16

check: requirements ## format, layering, a build without warnings, all tests, 100 simulation seeds
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Simulation Fuzz Benchmarks Examples
	$(MAKE) test
	$(MAKE) simulate

docs: requirements ## the pages of the Swift API, in .build/docs; every warning is an error
	$(SWIFT) build --target ZeroTier
	Tools/make-docs

format: ## rewrite the sources in the project's format
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Simulation Fuzz Benchmarks Examples

browser: requirements ## the page of a node in Debian's Chromium: mouse, keyboard, hostile names, contrast (installs chromium as root)
	$(SWIFT) build --product zerotier
	Tests/BrowserTests/run $(BROWSER_FLAGS)

schema: requirements ## the REST service asked by its description, CASES (10000) cases: no server error, nothing that it does not say (schemathesis)
	$(SWIFT) build --product zerotier
	Tests/SchemaTests/run --cases $(CASES)

schema-short: requirements ## some hundred of them, as continuous integration does
	$(SWIFT) build --product zerotier
	Tests/SchemaTests/run --cases 400 --examples 12

hardness: requirements ## what hostile clients do to the REST service: tokens, bodies, paths, slow ones, 10,000 connections; memory and logs
	$(SWIFT) build -c release --product zerotier --scratch-path .build-libzt $(LIBRARY_FLAGS)
	ZEROTIER=.build-libzt/release/zerotier Tests/ServiceHardness/run

interop: host_release ## against the real libzt 1.8.4, in network namespaces (root, or unprivileged user namespaces)
	$(SWIFT) build -c release --product interop-node --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Tests/InteropTests/run $(INTEROP_FLAGS)

library-test: ## the built C library as a user has it: exports, needs, install, every way to link, habits of programs (make host first)
	Tests/LibraryTests/run

conformance: ## socket calls, case by case: against the host's kernel and against the C library
	Tests/SocketConformance/run host
	@[ -e lib/release/$(shell uname -s | tr A-Z a-z)-$(shell uname -m)/libzt.so ] || $(MAKE) host_release
	Tests/SocketConformance/run zts

matrix: host_release ## the C library: every function in every state of the node, and the events of its life in order
	$(SWIFT) build -c release --product zerotier --scratch-path .build-libzt $(LIBRARY_FLAGS)
	$(SWIFT) build -c release --product test-controller --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Tests/LibraryMatrix/run

stress: host_release ## the C library: STARTS, STRESS_CYCLES start/stop cycles, STRESS_SECONDS of 64 threads, STRESS_PAIRS connections
	$(SWIFT) build -c release --product zerotier --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Tests/LibraryStress/run $(STARTS) $(STRESS_CYCLES) $(STRESS_SECONDS) $(STRESS_PAIRS)

small-paths: requirements ## transfers over ways that lose long IP packets, in network namespaces (root, nft, ethtool)
	$(SWIFT) build -c release --product zerotier
	Tests/SmallPaths/run

lab: requirements ## TCP of two nodes and of the kernel over a wire with delay and losses, in network namespaces (root, ethtool)
	$(SWIFT) build -c release --product bench --scratch-path .build-libzt $(LIBRARY_FLAGS)
	$(SWIFT) build -c release --product zerotier --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Benchmarks/lab/run

floods: requirements ## hostile packets of every form at a live root and live nodes, FLOOD_SECONDS each, in network namespaces
	$(SWIFT) build -c release --product zerotier
	$(SWIFT) build -c release --product flood
	Tests/Floods/run --seconds $(FLOOD_SECONDS)

floods-short: requirements ## four forms of them, 4 s each, as continuous integration does
	$(SWIFT) build -c release --product zerotier --scratch-path .build-libzt $(LIBRARY_FLAGS)
	$(SWIFT) build -c release --product flood --scratch-path .build-libzt $(LIBRARY_FLAGS)
	FLOODS_BUILT=.build-libzt/release Tests/Floods/run --short --seconds 4

simulate: requirements ## simulated networks: SEED=first COUNT=how many SCENARIO=small, large, controlled or crowd; VERBOSE=1 tells, PACKETS=1 packets too
	$(SWIFT) build -c release --product simulate
	.build/release/simulate --scenario $(SCENARIO) --members $(MEMBERS) --seed $(SEED) --count $(COUNT) \
		$(if $(filter 1,$(VERBOSE) $(PACKETS)),--verbose) $(if $(filter 1,$(PACKETS)),--packets)

simulations: requirements ## simulated networks, each in two processes: SMALL (600, as CI does), LARGE (5), CONTROLLED (100), CROWD (1) of MEMBERS (2000)
	$(SWIFT) build -c release --product simulate --scratch-path .build-libzt $(LIBRARY_FLAGS)
	.build-libzt/release/simulate --verify --seed $(SEED) --count $(SMALL)
	.build-libzt/release/simulate --verify --seed $(SEED) --count $(LARGE) --scenario large
	.build-libzt/release/simulate --verify --seed $(SEED) --count $(CONTROLLED) --scenario controlled
	.build-libzt/release/simulate --verify --seed $(SEED) --count $(CROWD) --scenario crowd --members $(MEMBERS)

bench: requirements ## release benchmarks: a table, bench.json, the page bench.html; fails when a promise is missed
	Benchmarks/run

bench-short: requirements ## ratios, counts and memory in some minutes, as continuous integration does
	$(SWIFT) build -c release --product bench --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Benchmarks/run --short --binary .build-libzt/release/bench

bench-service: program ## the REST service with 100,000 members: the calls of ZTNET and ZeroUI, the list, memory; some minutes
	$(SWIFT) build -c release --product bench --scratch-path .build-libzt $(LIBRARY_FLAGS)
	Benchmarks/service.py --program bin/zerotier --bench .build-libzt/release/bench

clients: requirements ## the REST service against the requests of ztncui, ZeroUI, ZTNET, Terraform and others, row by row
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --filter ZeroTierServiceTests

storms: requirements ## a controller that is killed in a storm of changes, STORMS times: nothing that it told is lost
	$(SWIFT) build --build-tests
	STORMS=$(STORMS) $(SWIFT) test --skip-build --filter StormTests

several: requirements ## two controllers with one database: the active one is killed SEVERAL times, cut off and stopped 20 times
	$(SWIFT) build --build-tests
	SEVERAL_KILLS=$(SEVERAL) SEVERAL_CUTS=20 SEVERAL_TIMED=1 $(SWIFT) test --skip-build --filter LeaseStormTests

models: requirements ## the lease of several controllers, all interleavings, and that each fault is found (spin, gcc)
	Tests/Models/controller-lease/run

soak: requirements ## CYCLES lives of three nodes in one process: memory, threads and descriptors must stay
	$(SWIFT) build -c release --product bench
	.build/release/bench soak $(CYCLES)

sanitize: requirements ## the tests of drivers and APIs under AddressSanitizer with leak detection, and ThreadSanitizer
	LSAN_OPTIONS=suppressions=$(CURDIR)/Tools/leak-suppressions:print_suppressions=0 \
		$(SWIFT) test --sanitize=address --scratch-path .build-asan --filter 'ZeroTier(Node|Sockets|C)?Tests'
	$(SWIFT) build --build-tests --sanitize=thread --scratch-path .build-tsan
	$(dir $(realpath $(shell command -v $(SWIFT))))clang -O1 -fPIC -shared -o .build-tsan/libmutex.so \
		Tools/thread-sanitizer-mutex.c -ldl
	@# ThreadSanitizer holds a signal back while its thread sleeps in a system call that it does not know: a futex is one.
	@# It needs room in files of its own, which FullDiskTests leave to nobody.
	LD_PRELOAD=$(CURDIR)/.build-tsan/libmutex.so $(SWIFT) test --skip-build --sanitize=thread \
		--scratch-path .build-tsan --filter 'ZeroTier(Sockets|C)?Tests' --skip SignalTests --skip FullDiskTests

fuzz: requirements ## libFuzzer on TARGET for SECONDS_EACH seconds (SECONDS=… works too); TARGET=list lists them
	Fuzz/run $(TARGET) $(or $(filter-out 0,$(SECONDS)),$(SECONDS_EACH))

# The names of the original's make file, for the C library.
host: host_release host_debug ## the C library for this machine, release and debug: lib/, include/, bin/

all: host ## all that this machine can build: the C library, the command, the Swift library and every tool. Linux only
	$(SWIFT) build --build-tests

host_release: program ## the C library, optimised and stripped, and the command
	Tools/build-libzt release

program: build_requirements ## the command zerotier for machines without Swift: bin/, with its manual page and completion: share/
	Tools/build-program

host_debug: requirements ## the C library with debug symbols, printing basic traces
	Tools/build-libzt debug

list: ## the names of all targets, one a line
	@printf '%s\n' $(sort $(TARGETS))

install: ## installs the C library and the command below PREFIX (/usr/local); make host_release first
	Tools/install-libzt $(or $(PREFIX),/usr/local)

# Build scripts of the original call these first; here there is nothing to fetch and nothing to patch.
update patch:
	@:

clean: ## remove what was built
	rm -rf .build .build-* lib bin include share ZeroTier.h ZeroTierSockets.h
