# Every target makes .venv by itself and reuses it; constraints.txt pins what goes in.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
BOUNDS := .venv-bounds
BRAKET := .venv-braket
INSTALLED := $(VENV)/installed
# What the package is built from when it is installed; engine `native` is compiled.
BUILT := pyproject.toml setup.py $(wildcard student_jax/engines/native_kernel/*)
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro student test bounds braket faults bench evidence gpu gpu-small gpu-bundle lint report

repro: $(VENV)/installed-pipeline  ## run the whole pipeline on what params.yaml says
	qdllm repro
	qdllm results

student: $(VENV)/installed-student  ## pull a shared teacher, train students against it; REMOTE=... names where, once
	qdllm student $(if $(REMOTE),--remote "$$REMOTE")

# By the folders' order, so that what is long (faults, golden, pipeline) comes first, and all cores end together.
test: lint  ## check the code and run all tests, a file at a time on every core
	pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# Old releases warn of what newer ones took away; BERT's test needs transformers, and so torch.
bounds: $(BOUNDS)/installed  ## test the cache's contract, file teachers and the student on the lowest versions allowed
	$(BOUNDS)/bin/python -m pytest --numprocesses auto --dist loadfile -W default tests/student_jax \
		--ignore tests/student_jax/hardware --ignore tests/student_jax/comparators/test_network.py $(wildcard tests/teacher_cache/test_*.py) \
		tests/teacher_cache/imports tests/pipeline/corpus/test_answer_file.py tests/pipeline/stages/test_file_teacher.py

braket: $(BRAKET)/installed  ## test students on Amazon Braket's own simulator, by an SDK that does not go with DVC
	AWS_DEFAULT_REGION=us-east-1 $(BRAKET)/bin/python -m pytest tests/braket/run_braket.py

faults: $(INSTALLED)  ## do to captures and caches what can happen to them, and count how it ends
	python -m tests.faults.run_faults

lint: $(INSTALLED)  ## format, lint, types, walls between the packages
	ruff format --check
	ruff check
	mypy
	lint-imports

report: $(VENV)/installed-pipeline  ## rebuild the report from what is there
	dvc repro --single-item inputs report
	qdllm results

bench: $(INSTALLED) $(PEERS)/installed  ## time the student and the capture against their peers, and the service under load
	$(PEERS)/bin/python -m tests.benchmarks.bench_student
	$(PEERS)/bin/python -m tests.benchmarks.record_speed
	python -m tests.benchmarks.bench_stream --rows 0 --texts 0
	python -m tests.benchmarks.bench_capture $(if $(TEXT),--text $(TEXT))
	python -m tests.benchmarks.bench_serve

evidence: $(INSTALLED)  ## measure what a pretrained teacher is worth on DATA, with the LLM of `qdllm fetch`; hours, resumed
	python -m tests.benchmarks.evidence.run_evidence --data "$(DATA)" --llm "$(LLM)" $(OPTIONS)

gpu:  ## measure student and teacher on an NVIDIA GPU, in seven minutes, with what $(PYTHON) has; installs nothing
	$(PYTHON) -m tests.gpu.run_gpu

gpu-small: $(INSTALLED)  ## run the teacher's half of that in sizes for a CPU; `make test` has the student's
	pytest tests/gpu/run_small.py

gpu-bundle:  ## pack what a machine with a GPU and no network lacks, for `make gpu` there
	$(PYTHON) -m tests.gpu.make_bundle

$(INSTALLED): EXTRAS := all
$(VENV)/installed-pipeline: EXTRAS := teacher,student,serve,plots
# No torch: what a team member needs who has neither GPU nor LLM.
$(VENV)/installed-student: EXTRAS := student,serve

$(INSTALLED) $(VENV)/installed-pipeline $(VENV)/installed-student: $(BUILT) constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

$(BOUNDS)/installed: $(BUILT) tests/lowest_versions.py
	test -x $(BOUNDS)/bin/python || $(PYTHON) -m venv $(BOUNDS)
	$(BOUNDS)/bin/python tests/lowest_versions.py > $(BOUNDS)/lowest.txt
	$(BOUNDS)/bin/python -m pip install --quiet -r $(BOUNDS)/lowest.txt
	$(BOUNDS)/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

$(BRAKET)/installed: tests/braket/requirements.txt constraints.txt
	test -x $(BRAKET)/bin/python || $(PYTHON) -m venv $(BRAKET)
	grep -vE '^(antlr4-python3-runtime|cloudpickle|joblib)==' constraints.txt > $(BRAKET)/constraints.txt
	$(BRAKET)/bin/python -m pip install --quiet --constraint $(BRAKET)/constraints.txt -r $<
	touch $@

$(PEERS)/installed: tests/benchmarks/requirements.txt constraints.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	grep -v '^rich==' constraints.txt > $(PEERS)/constraints.txt
	$(PEERS)/bin/python -m pip install --quiet --constraint $(PEERS)/constraints.txt -r $<
	touch $@
