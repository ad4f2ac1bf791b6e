# `make help` lists what there is. Everything installs what it needs on a fresh Debian 12 or 13.
PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-bench setup-server server demo test test-fast test-slow soak lint lint-types lint-types-server lint-form lint-docs format docs conformance bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## make .venv with .venv/bin/jeos, and install the Debian packages that jeos needs
	@scripts/setup.sh

setup-test: ## the same, with what the tests need
	@scripts/setup.sh test

setup-bench: ## the same, with the tools that benchmarks compare jeos with
	@scripts/setup.sh bench

setup-server: ## the same, with the packages of the server
	@scripts/setup.sh server

server: setup-server ## run the exchange with an example community on http://127.0.0.1:8000
	@.venv/bin/jeos server --demo

demo: setup ## build the example appliance, boot it, fetch its page, show sizes and times, stop it
	@$(PYTHON) scripts/demo.py

test: lint test-fast test-slow ## all tests, lint first

test-fast: setup-test ## the tests that need no root, no network and no virtual machine
	$(PYTEST) -q -n 2 --durations=20 --durations-min=2 -m "not root and not network and not vm and not browser and not postgres"

test-slow: setup-test ## the tests that need root, the Debian mirror or a virtual machine
	$(PYTEST) -q -n 2 --dist loadfile --no-loadscope-reorder --durations=60 --durations-min=5 -m "root or network or vm or browser or postgres"

soak: setup-test ## the tests that take very long: hangs, slow channels, a hundred power cuts, a thousand starts, virt-v2v, KVM
	JEOS_SOAK=1 $(PYTEST) -v -n 2 --timeout 0 tests/system/test_update_cuts.py
	JEOS_SOAK=1 $(PYTEST) -v -n 2 --dist loadfile --timeout 0 tests/vm/test_many_starts.py tests/system/test_update_slots.py \
		tests/system/test_system_kill.py tests/convert/adapt/test_real_initrds.py \
		tests/system/test_update_channel.py tests/system/test_export_virt_v2v.py \
		tests/system/test_export_everywhere.py tests/system/test_convert_everywhere.py \
		tests/convert/test_convert_machines.py tests/convert/test_convert_homes.py tests/system/test_hypervisor.py \
		tests/system/test_system_share.py tests/system/test_system_tap.py tests/system/test_system_tune.py tests/server

lint: setup-test ## format, style, types, layers, licences, documentation
	@$(MAKE) --no-print-directory -j 2 -O lint-types lint-types-server lint-form lint-docs

lint-types:
	$(PYTHON) -m mypy

lint-types-server:
	JEOS_SERVER_DATA="$$(mktemp -d)" $(PYTHON) -m mypy --config-file src/jeos/server/mypy.ini

lint-form:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	.venv/bin/lint-imports --no-cache
	$(PYTHON) scripts/licences.py

lint-docs:
	$(PYTEST) -q tests/test_docs.py

format: setup-test ## format the code
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

docs: setup-test ## write the generated pages of the reference
	$(PYTHON) scripts/reference.py

conformance: setup-test ## TUF's own suite against the update client: make conformance SUITE=checkout-of-tuf-conformance
	JEOS_TUF_CONFORMANCE="$(SUITE)" $(PYTEST) -q -rs tests/trust/test_conformance.py

bench: setup-bench ## measure what README and docs promise, beside other tools
	$(PYTHON) bench/build.py
	$(PYTHON) bench/boot.py
	$(PYTHON) bench/update.py
	$(PYTHON) bench/publishing.py
	$(PYTHON) bench/agent.py
	$(PYTHON) bench/convert.py
	$(PYTHON) bench/backup.py

clean: ## delete what make made here (not the caches of jeos: `jeos store gc`)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
