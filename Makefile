# Each target installs what it needs and is missing. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
# Which build wraps the plugins: the one that the goal makes anyway.
PROFILE := dev
demo bench: PROFILE := release
BUILD_dev := cargo build --workspace --bins
BUILD_release := cargo build --release --package tiegel-server --bin tiegel
DEBUG := $(TARGET_DIR)/debug/tiegel
RELEASE := $(TARGET_DIR)/release/tiegel
TIEGEL_dev := $(DEBUG)
TIEGEL_release := $(RELEASE)

PYTHON_PLUGINS := $(patsubst plugins/%/tiegel-plugin.toml,%,$(shell grep -l '^language = "python"' plugins/*/tiegel-plugin.toml))
PLUGINS := $(filter-out $(PYTHON_PLUGINS),$(patsubst plugins/%/tiegel-plugin.toml,%,$(wildcard plugins/*/tiegel-plugin.toml)))
PYTHON := .venv/bin/python
MLFLOW_CASES = CARGO_TARGET_DIR=$(TARGET_DIR) .venv-mlflow/bin/python -m pytest -q tests/clients/mlflow
MIGRATION_CASES = CARGO_TARGET_DIR=$(TARGET_DIR) .venv-mlflow/bin/python -m pytest -q tests/clients/mlflow_migration
SDK_PYTHON := sdk/python/.venv/bin
# Seen from sdk/python, whose settings they share.
SDK_SOURCES := --config pyproject.toml . ../vectors $(PYTHON_PLUGINS:%=../../plugins/%)

WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print)
PYTHON_SOURCES := $(wildcard sdk/wit/v1/* sdk/python/src/tiegel/plugin/*.py platform/wasm/src/build/*.rs) \
	$(foreach name,$(PYTHON_PLUGINS),$(wildcard plugins/$(name)/*.py plugins/$(name)/*.toml))
PLUGIN_SOURCES := $(shell find plugins sdk/js sdk/rust sdk/wit \( -name target -o -name dist -o -name node_modules \) -prune -o -type f -print)

.PHONY: help demo demo-stop test soak build web plugins fmt bench python \
	test-tidy test-format test-lint test-web test-plugins test-js test-rust test-clients test-mlflow test-python test-generated

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: build plugins ## from raw flights to a served model, at http://127.0.0.1:8484
	@TIEGEL=$(RELEASE) deploy/examples/flights/demo.sh start

demo-stop: ## end the demo's server; its data stays
	@deploy/examples/flights/demo.sh stop

build: web ## the release binary, with the web page in it
	$(BUILD_release)

web: web/dist/index.html ## the web page, into web/dist

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

plugins: plugins/dist/.built plugins/dist/.built-python ## the first-party plugins, into plugins/dist

plugins/dist/.built: $(PLUGIN_SOURCES)
	@.ci/setup guest
	$(BUILD_$(PROFILE))
	@mkdir -p plugins/dist
	@for name in $(PLUGINS); do \
		CARGO_TARGET_DIR=$(TARGET_DIR)/plugins $(TIEGEL_$(PROFILE)) plugin build plugins/$$name --out plugins/dist/$$name.wasm; \
	done
	@touch $@

# These take ten seconds each, and other sources.
plugins/dist/.built-python: $(PYTHON_SOURCES)
	$(BUILD_$(PROFILE))
	@mkdir -p plugins/dist
	@for name in $(PYTHON_PLUGINS); do \
		$(TIEGEL_$(PROFILE)) plugin build plugins/$$name --out plugins/dist/$$name.wasm; \
	done
	@touch $@

python: ## the Python clients that the tests use, in .venv
	@.ci/setup python

fmt: ## format everything
	@if [ -x $(SDK_PYTHON)/ruff ]; then $(SDK_PYTHON)/ruff format --quiet sdk/python sdk/vectors $(PYTHON_PLUGINS:%=plugins/%) --config sdk/python/pyproject.toml; fi
	cargo fmt --all
	cargo fmt --all --manifest-path plugins/Cargo.toml
	@if [ -d web/node_modules ]; then cd web && npm run --silent fix; fi
	@if [ -d sdk/js/node_modules ]; then cd sdk/js && npm run --silent fix; fi

bench: build plugins ## measure start, predictions, steps and the plugin host
	cargo xtask bench all --bin $(RELEASE)

test: test-tidy test-format test-web test-plugins test-js test-lint test-rust test-generated test-clients test-mlflow test-python ## all checks and tests, with short loads

test-tidy:
	cargo xtask tidy

test-format:
	cargo fmt --all --check
	cargo fmt --all --check --manifest-path plugins/Cargo.toml

test-web: web
	cd web && npm run --silent check
	cd web && npm test --silent

test-plugins: plugins
	cargo test --workspace --quiet --manifest-path plugins/Cargo.toml

# The SDK for TypeScript and JavaScript, its examples and the plugins that are written with it.
test-js: sdk/js/node_modules/.package-lock.json
	cd sdk/js && npm run --silent check
	cd sdk/js && npm test --silent

sdk/js/node_modules/.package-lock.json: sdk/js/package-lock.json
	cd sdk/js && npm ci --no-audit --no-fund
	@touch $@

test-lint:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --all-targets --manifest-path plugins/Cargo.toml -- -D warnings

# The whole workspace at once, so that the tests, the binary they start and the linter agree on every feature.
test-rust: plugins
	@.ci/setup postgres
	$(BUILD_dev)
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace; \
	else \
		cargo test --workspace --all-targets --no-fail-fast; \
	fi
	cargo test --doc --package tiegel-plugin

test-generated: web
	cargo xtask gen --check --bin $(DEBUG)

test-clients: python plugins
	CARGO_TARGET_DIR=$(TARGET_DIR) $(PYTHON) -m pytest -q tests/clients --ignore tests/clients/mlflow --ignore tests/clients/mlflow_migration

# The same cases against MLflow's own server and ours.
test-mlflow: plugins
	@.ci/setup mlflow
	$(MLFLOW_CASES)
	$(MIGRATION_CASES)

test-python:
	@.ci/setup sdk
	cd sdk/python && .venv/bin/ruff check --quiet $(SDK_SOURCES) && .venv/bin/ruff format --check --quiet $(SDK_SOURCES)
	cd sdk/python && .venv/bin/mypy
	cd sdk/python && CARGO_TARGET_DIR=$(TARGET_DIR) .venv/bin/python -m pytest -q

soak: web plugins ## the long loads: kills, floods and replays in full
	@.ci/setup postgres
	$(BUILD_dev)
	TEST_KILLS=200 TEST_CLIENTS=64 TEST_SECONDS=300 TEST_KILL_SECONDS=20 cargo test --package tiegel-tests --test e2e
	@.ci/setup mlflow
	TEST_ARTIFACT_MIB=500 TEST_FUZZ_ROUNDS=20 $(MLFLOW_CASES)
