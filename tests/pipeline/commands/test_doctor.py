"""The doctor says what works, with and without torch."""

import json

from pipeline.commands.doctor import try_engines
from student_jax.engines import native


def test_the_doctor_names_engines_and_what_is_missing(owner, without_torch):
    output = owner.run("qdllm", "doctor")
    assert "engine fused works" in output
    assert "torch on  cpu" in output
    assert "at " + str(owner.folder.parent / "remote") + " answers" in output
    assert "dvc repro, qdllm teachers, qdllm cache verify --spot-check: ready" in output

    lines = owner.at(owner.folder, PYTHONPATH=without_torch).run("qdllm", "doctor").splitlines()
    assert "qdllm student, qdllm draw, qdllm export, qdllm diagnose: ready" in lines
    assert {"qdllm serve: ready", "qdllm device: ready"} <= set(lines)
    (line,) = (line for line in lines if line.startswith("dvc repro"))
    assert "missing torch, transformers, peft, accelerate: pip install 'qdllm[teacher]'" in line


def test_outside_a_project_the_doctor_still_answers(owner, without_torch, tmp_path):
    assert "not inside of a DVC repository" in owner.at(tmp_path, PYTHONPATH=without_torch).run("qdllm", "doctor")


def test_a_script_gets_the_same(owner, without_torch):
    found = json.loads(owner.at(owner.folder, PYTHONPATH=without_torch).run("qdllm", "doctor", "--json"))
    assert found["missing"]["teacher"] == ["torch", "transformers", "peft", "accelerate"]
    assert found["missing"]["student"] == found["missing"]["serve"] == []
    assert found["facts"]["engine fused"] == "works"
    assert "GiB free in" in found["facts"]["disk"]
    assert found["facts"]["dvc"].endswith("answers")


def test_the_doctor_says_why_the_compiled_engine_is_absent(monkeypatch):
    monkeypatch.setattr(native, "LIBRARY", "student_jax.engines._nowhere")
    monkeypatch.setenv("CXX", "nothing-there")
    native._register.cache_clear()
    problems = try_engines()
    native._register.cache_clear()
    assert "there is no C++ compiler here" in problems["native"]
    assert problems["fused"] == ""
