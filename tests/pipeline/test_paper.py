"""The profile paper, offline: its five teachers' very settings on stand-in checkpoints of the same architectures."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.team.project import read_project
from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.finetune.adapter import finetune
from tests.teacher_cache.teacher.conftest import LABELS, make_examples, make_stand_in

ROOT = Path(__file__).parents[2]
ARCHITECTURES = {
    "bloomz-1b1": "bloom",
    "bloomz-3b": "bloom",
    "opt-6b7": "opt",
    "llama2-7b": "llama",
    "llama3-8b": "llama",
}


@pytest.mark.parametrize(("name", "architecture"), ARCHITECTURES.items())
def test_the_papers_teachers_load_tune_and_answer(name, architecture, tmp_path):
    """Only `model` differs, a folder for a hub id, and what the stand-ins are too small for: 64 positions, 3 layers."""
    teacher = read_project(ROOT / "params.yaml").teacher[name]
    stand_in = make_stand_in(architecture, tmp_path / "model")
    examples = make_examples(60)
    pq.write_table(examples, tmp_path / "examples.parquet")
    with publish_folder(tmp_path / "base") as folder:
        make_base(replace(teacher.base, model=str(stand_in), revision=None), [], 0, folder)
    config = replace(teacher.finetune, max_length=64, epochs=1)
    assert config.rank == 200
    with publish_folder(tmp_path / "adapter") as folder:
        finetune(config, tmp_path / "base", examples, LABELS, 0, tmp_path / "tuning", folder)
    assert len(teacher.cache_teacher.hidden_layers) == 5
    kept = replace(teacher.cache_teacher, hidden_layers=(0, 1, 3))
    request = Capture("topics", name, tmp_path / "examples.parquet", tmp_path / "base", tmp_path / "adapter", kept)
    capture(request, tmp_path / "work", tmp_path / "cache")
    cache = open_cache(tmp_path / "cache", {"teacher": name, "labels": LABELS, "identity.dtype": "bfloat16"})
    assert len(cache.read().label) == 60
    assert cache.manifest.identity["base"]["architecture"] == architecture


def test_the_papers_teachers_are_hub_models():
    teachers = read_project(ROOT / "params.yaml").teacher
    assert {name: teachers[name].base.model for name in ARCHITECTURES} == {
        "bloomz-1b1": "bigscience/bloomz-1b1",
        "bloomz-3b": "bigscience/bloomz-3b",
        "opt-6b7": "facebook/opt-6.7b",
        "llama2-7b": "meta-llama/Llama-2-7b-hf",
        "llama3-8b": "meta-llama/Meta-Llama-3-8B",
    }
