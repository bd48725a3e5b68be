"""What local bases are instructed on: labelled texts of a task's generator, none of which is the task's."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.corpus.clean import make_example_id
from pipeline.corpus.generated import thematic
from pipeline.corpus.instructions import INSTRUCTIONS, read_instructions, write_instructions
from pipeline.corpus.sources import INSTRUCTED_SEED
from pipeline.corpus.task_config import FileSource, GeneratedSource, TaskConfig
from teacher_cache.reader import ids_to_numpy
from teacher_cache.text import TextRules
from tests.golden.given import run_stage

LABELS = list(thematic.LABELS)
RULES = TextRules("drop", 20_000)


def make_task(instructed):
    return TaskConfig(labels=LABELS, source=GeneratedSource("embedded", "thematic", 200), instructed=instructed)


def test_they_are_the_generators_but_for_the_tasks_own_texts(tmp_path):
    drawn = list(thematic.generate(50, 3 + INSTRUCTED_SEED))
    kept = [make_example_id("news", RULES.normalise(text)) for text, _ in drawn[:7]]
    write_instructions(tmp_path, "news", make_task(50), RULES, 3, np.array(kept, "V16"))
    assert set(read_instructions(tmp_path)) == {(RULES.normalise(text), label) for text, label in drawn[7:]}


def test_a_task_without_them_has_none(tmp_path):
    assert read_instructions(tmp_path) == []


def test_a_file_has_no_generator_that_could_write_them():
    with pytest.raises(ValidationError, match="instructed must stand with an embedded source"):
        TaskConfig(labels=LABELS, source=FileSource("file", "a.csv"), instructed=9)


def test_stage_prepare_writes_them_beside_the_same_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = {}
    for instructed in (None, 40):
        params = {"seed": 3, "prepare": {}, "task": {"news": {"labels": LABELS, "source": vars(make_task(1).source)}}}
        params["task"]["news"] |= {} if instructed is None else {"instructed": instructed}
        (tmp_path / "params.yaml").write_text(str(params).replace("None", "null"))
        run_stage("prepare", task="news", data="data", card="card.json", record="record.json")
        read[instructed] = (tmp_path / "data/examples.parquet").read_bytes()
        assert (tmp_path / "data" / INSTRUCTIONS).exists() == (instructed is not None)
    assert read[None] == read[40]
    ids = ids_to_numpy(pq.read_table(tmp_path / "data/examples.parquet")["example_id"])
    given = read_instructions(tmp_path / "data")
    assert len(given) == 40
    assert not {make_example_id("news", text) for text, _ in given} & {one.tobytes() for one in ids}
