# make demo    a booted Debian machine, a registry, and the whole life of a container
# make test    all checks and tests, as .ci/run does
# make help    the other targets

SHELL := /bin/bash
SUITE ?= trixie
SUITES := trixie bookworm
FS ?= ext4
SEED ?=
SECONDS ?= 60

# Hosts are booted as root. What runs as root writes no caches into the tree.
AS_ROOT := $(if $(filter 0,$(shell id --user)),,sudo --preserve-env=OS_CONTAINERS_CACHE) env PYTHONDONTWRITEBYTECODE=1
TESTHOST := $(AS_ROOT) /usr/bin/python3 -m testhost
BIN := .venv/bin
SCRIPTS := tools/setup debian/backport packaging/install .ci/run examples/build \
    $(wildcard examples/*/rootfs/usr/bin/*) $(wildcard examples/*/exports/hostfs/usr/local/bin/*) \
    examples/node-exporter/rootfs/usr/lib/node-exporter/prepare

.PHONY: help
help: ## list the targets
	@sed --quiet 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand --tabs=16

.PHONY: install-dev
install-dev: ## install missing Debian packages and make the environment .venv
	@tools/setup

.PHONY: demo
demo: install-dev ## play the session of the README on a real systemd, every claim checked
	@$(TESTHOST) demo

.PHONY: shell
shell: install-dev ## a root shell in a booted host with os-containers (SUITE=bookworm)
	@$(TESTHOST) shell --suite=$(SUITE)

.PHONY: deb
deb: install-dev ## Debian packages for all suites, built in clean roots and judged by lintian, into dist/
	@for suite in $(SUITES); do $(TESTHOST) deb --suite=$$suite || exit 1; done

.PHONY: rpm
rpm: install-dev ## an RPM for Fedora and EL, into dist/
	@$(TESTHOST) rpm

.PHONY: wheel
wheel: install-dev ## a wheel, into dist/
	@$(TESTHOST) wheel

PARTS ?= a,b,c,d,e,f,g
RUNS ?= 200
SAMPLE ?= 0

.PHONY: torture
torture: install-dev ## faults at every point of every operation; hours (PARTS=a,b OPERATIONS=update SAMPLE=20)
	@$(AS_ROOT) /usr/bin/python3 -m torture --suite=$(SUITE) --parts=$(PARTS) \
	    $(if $(OPERATIONS),--operations=$(OPERATIONS)) \
	    --rounds=$(or $(ROUNDS),300) --runs=$(RUNS) --sample=$(SAMPLE) --seed=$(or $(SEED),1)

.PHONY: test
test: check unit integration ## all of it: check, unit, integration

.PHONY: check
check: install-dev ## formatter, linters, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy testhost torture bench manual
	$(BIN)/lint-imports
	shellcheck --exclude=SC1091 $(SCRIPTS)

.PHONY: unit
unit: install-dev ## tests without root and without systemd
	$(BIN)/pytest tests/unit --numprocesses=4

.PHONY: fuzz
fuzz: install-dev ## look for bytes that break a parser (SECONDS=60 TARGET=tar)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/pip install --quiet --only-binary=:all: atheris
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds=$(SECONDS) $(TARGET)

.PHONY: integration
integration: install-dev $(SUITES:%=integration-%) ## tests in booted hosts, one after the other

integration-%: install-dev
	$(AS_ROOT) $(BIN)/pytest -p no:cacheprovider tests/integration --suite=$*

# The packages have no .venv when they are built.
PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,/usr/bin/python3)
MANUAL := PYTHONPATH=src PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m manual

.PHONY: man
man: ## man pages, into build/man
	@rm -rf build/man
	$(MANUAL) man build/man

.PHONY: completions
completions: ## completions for bash, zsh and fish, into build/completions
	@rm -rf build/completions
	$(MANUAL) completions build/completions

.PHONY: schemas
schemas: ## JSON schemas of what --json prints, into build/schemas
	@rm -rf build/schemas
	$(MANUAL) schemas build/schemas

.PHONY: powercut
powercut: ## cut the power of a virtual machine at work, check what it finds (ROUNDS=25 FS=ext4|xfs SEED=...)
	@tools/setup powercut
	@$(TESTHOST) powercut --rounds=$(or $(ROUNDS),25) --file-system=$(FS) --seed=$(SEED)

.PHONY: selinux
selinux: ## labels of files and processes in a virtual machine with SELinux; about 5 minutes
	@tools/setup powercut
	@$(TESTHOST) selinux

ROWS ?=

.PHONY: bench
bench: ## how fast we are, beside podman and the machine's limit; not a test (ROWS=pull-big,start ROUNDS=5)
	@tools/setup bench
	@$(AS_ROOT) unshare --mount --pid --fork --kill-child --mount-proc \
	    /usr/bin/python3 -m bench --rows=$(ROWS) --rounds=$(or $(ROUNDS),5)

.PHONY: clean
clean: ## remove what make made in this tree
	rm -rf .venv build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: clean-cache
clean-cache: ## remove the cached root file systems and images of the test hosts
	@$(TESTHOST) clean-cache
