# Every command of the project; `make help` prints them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
BIN := .venv/bin
CLUSTER := $(PYTHON) tests/cluster/cluster.py
PYTEST := $(BIN)/pytest -q --durations=6 --durations-min=20
IN_TWO := -n 2 --dist loadfile  # for tests that wait, or that use one core at most

.PHONY: help setup generate format verify docs docs-serve cluster cluster-down images sbom demo family demo-assert demo-torch pictures \
	test-unit test-control-plane test-scale test-cluster test-chaos test-engine test-long test goodput \
	bench-tokenize bench-loader bench-evaluate bench-pretrain bench-saves bench-measuring bench-loss report-cost bench-prepare clean-cache

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## make .venv with the trainingrun command in it

.venv/ready: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, or set PYTHON to one."; exit 1; }
	@echo "Making .venv (about half a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch .venv/ready

generate: setup ## write the CRD, what the chart has of it, and the references of fields and values anew
	@$(BIN)/python -m trainingrun.api.generate

format: setup ## format the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format --quiet .

verify: setup ## generated files current, format, lint, types, import layers, the site's links
	@$(BIN)/python -m trainingrun.api.generate --check
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy operator/trainingrun workers/trainingrun_workers
	@cd tests/cluster && ../../$(BIN)/mypy -p local_cluster
	@PYTHONPATH=operator:workers $(BIN)/lint-imports --no-cache
	@$(MAKE) docs

docs: setup ## the documentation as a site in build/site, strict
	@mkdir -p build  # not --quiet: mkdocs then counts no warnings, and strict lets them pass
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build >build/site.log 2>&1 || { cat build/site.log; exit 1; }

docs-serve: setup ## the site on a local port, built again as you write
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

cluster: ## bring up a cluster (NODES=2 for a second node) and print how to reach it
	@$(CLUSTER) up $(if $(NODES),--nodes $(NODES))

cluster-down: ## take the cluster away
	@$(CLUSTER) down

images: cluster ## build the images into the cluster
	@$(PYTHON) images/build.py

sbom: setup ## a bill of materials and the licences of every image, in out/sbom
	@$(BIN)/python images/sbom.py

demo: setup ## everything from nothing: a cluster, the operator, a trained model in out/quickstart; ENGINE=torch by the other engine
	@PYTHONPATH=tests $(BIN)/python -m e2e.demo

family: setup ## four small bilingual models on one claim, and what they saved each other, in out/family
	@PYTHONPATH=tests $(BIN)/python -m e2e.family

pictures: setup ## the README's moving pictures, recorded anew from a run on the cluster of `make demo`
	@PYTHONPATH=tests:tests/cluster $(BIN)/python -m pictures

demo-torch: setup ## the demo by the torch engine, then the assertions on what it leaves
	@ENGINE=torch PYTHONPATH=tests $(BIN)/python -m e2e.demo
	@ENGINE=torch $(PYTEST) -m demo tests/e2e/test_demo.py

demo-assert: setup ## the demo, then its own assertions
	@PYTHONPATH=tests $(BIN)/python -m e2e.demo
	@$(CLUSTER) build prometheus >/dev/null
	@$(PYTEST) -m demo tests/e2e

test-unit: setup ## fast and pure
	@$(PYTEST) $(IN_TWO) tests/unit

test-control-plane: setup ## against a real API server and etcd
	@$(CLUSTER) build kubernetes etcd helm prometheus kubeconform
	@$(PYTEST) $(IN_TWO) tests/control_plane

test-scale: setup ## a thousand runs on an API server without nodes
	@$(CLUSTER) build kubernetes etcd helm
	@$(PYTEST) tests/scale

test-cluster: setup ## real pods: bad input, faults, two nodes
	@$(PYTEST) -m "not long and not demo" tests/cluster tests/e2e

test-chaos: setup ## faults on a real cluster, measured: some of them once, or TIMES=20 of each
	@PYTHONPATH=tests $(BIN)/python -m chaos $(if $(TIMES),--times $(TIMES) --document)

test-engine: setup ## each worker with its real engine, outside a cluster
	@$(PYTHON) tests/engine/environment.py >/dev/null
	@$(CLUSTER) build versitygw >/dev/null
	@$(PYTEST) $(IN_TWO) -m "not long" tests/engine

test-long: setup ## what takes minutes each: gang scheduling on a real cluster, engines killed again and again
	@$(PYTHON) tests/engine/environment.py >/dev/null
	@$(PYTEST) -m long tests/e2e tests/engine

goodput: setup ## a simulated month with failures: how much of it is useful, by the interval of checkpoints
	@PYTHONPATH=tests $(BIN)/python -m goodput.table $(if $(DOCUMENT),--document)

BENCH = $(if $(MB),--mb $(MB)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DOCUMENT),--document)

bench-tokenize: setup ## tokenizing against the report's way, minutes: MB=200 ROUNDS=3, DOCUMENT=1 writes it into docs
	@PYTHONPATH=tests:workers $(BIN)/python -m bench.tokenization $(BENCH)

bench-loader: setup ## how fast a training process reads its tokens: MB=1000 ROUNDS=3, DOCUMENT=1 writes it into docs
	@PYTHONPATH=tests:workers $$($(PYTHON) tests/engine/environment.py nanotron) -m bench.loader $(BENCH)

bench-evaluate: setup ## checkpoints in one process against lm-eval's command for each: ROUNDS=3, DOCUMENT=1 writes it into docs
	@PYTHONPATH=tests:workers $(BIN)/python -m bench.evaluation $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DOCUMENT),--document)

bench-pretrain: setup ## both engines, the same shape, batch and data, on CPU: ROUNDS=3, DOCUMENT=1 writes it into docs
	@PYTHONPATH=tests:workers $(BIN)/python -m bench.pretraining $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DOCUMENT),--document)

bench-measuring: setup ## what it costs a pretrain gang to measure itself, on CPU
	@PYTHONPATH=tests:workers $(BIN)/python -m bench.measuring

bench-saves: setup ## how long training stands still for a save of the torch engine, on CPU: ROUNDS=2, DOCUMENT=1
	@PYTHONPATH=tests:workers $(BIN)/python -m bench.saving $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DOCUMENT),--document)

report-cost: setup ## what the published run costs at several shares of its GPUs' peak: DOCUMENT=1
	@PYTHONPATH=tests:workers:operator $(BIN)/python -m bench.report_cost $(if $(DOCUMENT),--document)

bench-prepare: setup ## what a gang does with its data before its first step, prepared and not, minutes: DOCUMENT=1
	@PYTHONPATH=tests:workers $$($(PYTHON) tests/engine/environment.py axolotl) -m bench.prepared $(if $(DOCUMENT),--document)

bench-loss: setup ## the loss by several ways, time and memory, on a GPU where there is one: ROUNDS=3, DOCUMENT=1
	@PYTHONPATH=tests:workers $$($(PYTHON) tests/engine/environment.py nanotron) -m bench.loss $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(DOCUMENT),--document)

test: setup ## all set-up, then the tiers, with the time of each
	@$(BIN)/python tests/tiers.py

clean-cache: cluster-down ## delete everything that is kept outside the checkout
	@rm -rf "$${TRAININGRUN_CACHE:-$$HOME/.cache/trainingrun}"
