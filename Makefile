# Sluice. `make` prints this help; every target does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tests at once: each starts databases, children and whole systems; more of them only wait for the two cores they share.
TEST_WIDTH ?= 3
# Of the storm of faults, and of the corpus.
SOAK_SECONDS ?= 600
# Of each fuzz test; the seed is printed.
FUZZ_SECONDS ?= 120
# Of the storm; and the last commit whose engine leaves checkpoints in another format, to hand over from and to.
MINUTES ?= 10
STORM_OLDER ?= 98e3aea
# The servers of test-postgres, and what is tested on each: statements and plans, the queue's conformance, loading.
POSTGRES ?= 16 17 18
POSTGRES_TESTS ?= JobStoreTests.(StatementTests|PlanTests|EnqueueFunctionTests)|SimulationTests.(ConformanceTests|LockstepTests)|LoadingTests
SWIFT_SOURCES := Sources Tests Examples migrations Package.swift
# Static: the binary is copied into releases and runs where no Swift is installed. Stripped: half the size.
RELEASE_FLAGS := -c release --product sluice --static-swift-stdlib -Xlinker -s

.PHONY: help setup build test test-postgres soak-environments soak-faults soak-readers soak-corpus fuzz storm lint fmt demo bench model simulate scaling ci clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages by apt, DuckDB and psycopg by pip into .tools/
	@scripts/setup.sh

build: setup ## the release binary, .build/release/sluice
	@swift build $(RELEASE_FLAGS)

test: setup ## the whole test suite, after twenty simulated worlds with new seeds
	@swift build --build-tests
	@first=$$((RANDOM * 32768 + RANDOM)); .build/debug/simulate $$first..$$((first + 19))
	@SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) scripts/test.sh

test-postgres: setup ## statements, queue and loading on PostgreSQL 16, 17 and 18; the whole suite: POSTGRES=18 POSTGRES_TESTS=.
	@scripts/setup.sh --postgres
	@swift build --build-tests
	@for version in $(POSTGRES); do \
	  bin=$$PWD/.tools/postgres/$$version/bin; "$$bin/postgres" --version; \
	  SLUICE_POSTGRES_BIN=$$bin SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TEST_WIDTH) \
	    scripts/test.sh --filter '$(POSTGRES_TESTS)'; \
	done

soak-faults: setup ## the fault tests with long stops and a long storm (SOAK_SECONDS, SLUICE_TEST_SEED)
	@swift build --build-tests
	@SLUICE_SOAK_SECONDS=$(SOAK_SECONDS) SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=2 \
	  scripts/test.sh --filter 'FaultTests'

soak-readers: setup ## pyarrow, pandas, Polars and (with Java) Spark read every type of a data file, with its extremes
	@scripts/setup.sh --readers
	@swift build --build-tests
	@SLUICE_READERS=$$PWD/.tools/readers scripts/test.sh --filter 'ParquetReaderTests'

soak-corpus: setup ## generated files with known values through the whole path, every value compared (SOAK_SECONDS, SLUICE_TEST_SEED)
	@swift build --build-tests
	@SLUICE_CORPUS_SECONDS=$(SOAK_SECONDS) scripts/test.sh --filter 'CorpusTests'

soak-environments: setup ## fifty environments that run a batch each at once, served by one control process (SLUICE_SOAK_ENVIRONMENTS)
	@swift build --build-tests
	@SLUICE_SOAK_ENVIRONMENTS=$(or $(SLUICE_SOAK_ENVIRONMENTS),50) scripts/test.sh --filter 'EnvironmentServingTests'

fuzz: setup ## hostile names, values and definitions in every place (FUZZ_SECONDS for each suite, SLUICE_TEST_SEED repeats one)
	@swift build --build-tests
	@SLUICE_FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/test.sh --filter 'HostileTextTests|DefinitionFuzzTests|ReaderFuzzTests'

storm: build ## deploys, rollbacks, kills, stops and restarts beside running batches (SEED=7 MINUTES=10); builds an older engine too
	@older=$$(scripts/older-engine.sh $(STORM_OLDER)); \
	  python3 storm/run.py --engine .build/release/sluice --engine-older $$older $(if $(SEED),--seed $(SEED)) --minutes $(MINUTES)

lint: ## swift format, strict
	@swift format lint --strict --parallel --recursive $(SWIFT_SOURCES)

fmt: ## format every Swift file in place
	@swift format format --in-place --parallel --recursive $(SWIFT_SOURCES)

demo: build ## the main job end to end, with a killed worker (DEMO_ORDERS, DEMO_INVOICES, DEMO_SEED, DEMO_KILL=0)
	@python3 demo/run.py

bench: build ## the figures, each beside its peer in the same run (BENCH="queue --quick --only drain" for less)
	@.build/release/sluice bench $(BENCH)

model: setup ## check the protocol with Spin: the models hold, every seeded mistake is caught (MODEL=quick: the small ones)
	@ops/model/run.sh

simulate: setup ## the queue in simulated worlds of faults: SEED=7, or SEED=1..50 (the default)
	@swift build --quiet --product simulate
	@.build/debug/simulate $(or $(SEED),1..50)

scaling: build ## the scaling policy next to its peers on simulated days, held-out seeds (SEEDS=3 of each shape)
	@.build/release/sluice autoscale compare --seeds $(or $(SEEDS),1)

# What "ci" runs before the tests, each with its arguments. How long each took is told; the end is the summary of the tests.
define STAGES
lint
model MODEL=quick
demo DEMO_ORDERS=50000 DEMO_INVOICES=4000
bench BENCH=--quick
fuzz FUZZ_SECONDS=30
test-postgres POSTGRES='16 18'
endef
export STAGES

ci: ## what continuous integration runs: lint, the small models, a small demo, short benches, fuzz, test-postgres, test
	@while read -r stage; do \
	  begun=$$SECONDS; eval "$(MAKE) --no-print-directory $$stage" </dev/null; \
	  printf 'ci: %s: %d s\n' "$$stage" $$((SECONDS - begun)) >&2; \
	done <<<"$$STAGES"
	@$(MAKE) --no-print-directory test

clean: ## remove what build and demo made; .tools/ stays
	@[ ! -d .demo ] || python3 demo/run.py --remove
	@rm -rf .build
