# Every target makes .venv by itself and reuses it; constraints.txt pins what goes in.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro student test bench lint report

repro: $(INSTALLED)  ## run the whole pipeline on what params.yaml says
	dvc repro
	qdllm results

student: $(VENV)/installed-student  ## pull a shared teacher, train students against it; REMOTE=... names where, once
	qdllm student $(if $(REMOTE),--remote '$(REMOTE)')

test: lint  ## check the code and run all tests
	pytest

lint: $(INSTALLED)  ## format, lint, types, walls between the packages
	ruff format --check
	ruff check
	mypy
	lint-imports

report: $(INSTALLED)  ## rebuild the report from what is there
	dvc repro --single-item report
	qdllm results

bench: $(VENV)/installed-bench  ## time the student and the capture against their peers
	python -m tests.benchmarks.bench_student

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

# No torch: what a team member needs who has neither GPU nor LLM.
$(VENV)/installed-student: pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[student]'
	touch $@

$(VENV)/installed-bench: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all,bench]'
	touch $@
