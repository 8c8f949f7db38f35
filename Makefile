# Everything that a user types. `make help` lists it.

PYTHON ?= python3
PROFILE ?= default
NAME ?= paper

# Also make 3.81 then looks for programs in the PATH below.
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONPATH PYTHONHOME # a cluster's modules would come before .venv
unexport PYTHONDONTWRITEBYTECODE # or every job compiles all its modules again
READY := .venv/.ready$(if $(filter slurm sge,$(PROFILE)),-$(PROFILE))
RUN := snakemake --workflow-profile profiles/$(PROFILE) $(if $(CORES),--cores $(CORES)) $(if $(GPU),--resources gpu=$(GPU) $(if $(filter slurm sge,$(PROFILE)),turn=1))
ESTIMATE := python -m largestep.stages.estimate $(if $(CORES),--cores $(CORES)) $(if $(GPU),--gpus $(GPU))

.DEFAULT_GOAL := help

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## the whole graph on config/demo.yaml, offline, in minutes
	@$(RUN)

paper: $(READY) ## the whole graph on config/paper.yaml; DATA=<folder> where you have the images
	$(if $(filter default,$(PROFILE)),@$(ESTIMATE) --configfile config/paper.yaml)
	@$(RUN) --configfile config/paper.yaml

beyond: $(READY) ## beyond the paper: other directions and stepsize policies, atlases; offline
	@$(RUN) --configfile config/beyond.yaml

test: $(READY) ## linters and all tests of a few minutes
	ruff check .
	ruff format --check .
	lint-imports
	snakefmt --check Snakefile workflow/rules
	snakemake --lint
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --schemafile config/schema.json config/*.yaml
	pytest -m "not slow"

test-slurm: $(READY) ## the graph and its faults on a SLURM of its own; root, on Debian
	pytest tests/cluster/test_slurm.py

test-sge: $(READY) ## the same on a Grid Engine of its own
	pytest tests/cluster/test_sge.py

test-full: test ## and the tests that need many minutes
	pytest -m slow

claims: $(READY) ## verdicts of the last demo run; exit code 1 if a claim is violated
	@python -m largestep.stages.verdicts --json results/demo/claims.json

compare: $(READY) ## your paper run against docs/reference/; NAME=demo for the demo
	@python -m largestep.stages.compare results/$(NAME)

verify: $(READY) ## rehash everything in results/ against its record
	@python -m largestep.stages.verify

store: $(READY) ## size of the store of trained runs
	@python -m largestep.stages.store

prune: $(READY) ## delete the stored runs that no result uses
	@python -m largestep.stages.store --prune

bench: $(READY) ## the engine against its peers, JAX included; some 45 minutes
	.venv/bin/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[bench]'
	python -m benchmarks

bench-quick: $(READY) ## the same, small, in under 3 minutes
	python -m benchmarks --quick

setup: $(READY) ## only make .venv and install the pinned packages

.venv/.ready: envs/constraints.txt envs/lock.txt envs/requirements.in pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "largestep needs Python 3.11 or newer: make setup PYTHON=python3.12, say")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes --no-deps --requirement envs/lock.txt
	.venv/bin/python -m pip install --quiet --constraint envs/constraints.txt --no-build-isolation --editable '.[test]'
	touch $@

.venv/.ready-slurm .venv/.ready-sge: .venv/.ready-%: .venv/.ready
	.venv/bin/python -m pip install --quiet --constraint envs/constraints.txt --editable '.[$*]'
	touch $@

clean: ## delete .venv and everything in results/
	rm -rf .venv .snakemake
	find results/ -mindepth 1 ! -name .gitkeep -delete

.PHONY: help demo paper beyond test test-slurm test-sge test-full claims compare verify store prune bench bench-quick setup clean
