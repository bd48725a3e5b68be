"""The evidence's script, on a tiny LLM and a tiny circuit: made, resumed, written down, and not mixed."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.identity import hash_once
from tests.benchmarks.evidence.page import write_page
from tests.benchmarks.evidence.parts import Part, Unit, exists, list_parts
from tests.benchmarks.evidence.run_evidence import require_same, run_parts
from tests.benchmarks.evidence.teacher import Settings
from tests.teacher_cache.teacher.conftest import LABELS, make_texts
from tests.teacher_cache.teacher.gguf_stand_in import make_gguf

ROWS = 200
UNIT = Unit("kinds", 64, 0)
PARTS = [
    Part(UNIT, "corpus", "quantum", "distilled", None),
    Part(UNIT, "corpus", "logistic", "distilled", None),
    Part(UNIT, "corpus", "quantum", "labels_alone"),
    Part(UNIT, "corpus", "logistic", "all_labels", None),
    Part(UNIT, "corpus", "lelp", "distilled", None),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evidence")
    file = make_gguf(folder)
    texts, classes = make_texts(ROWS)
    names = [LABELS[one] for one in classes]
    table = pa.table({"text": [f"{text} {row}" for row, text in enumerate(texts)], "label_name": names})
    pq.write_table(table, folder / "kinds.parquet")
    teacher = {
        "base": {"kind": "gguf", "path": str(file), "sha256": hash_once(file), "dtype": "float32"},
        "finetune": {"rank": 4, "alpha": 8, "epochs": 1, "max_length": 32},
        "cache_teacher": {"hidden_layers": [3]},
    }
    student = {"engine": "fused", "circuit": {"qubits": 2, "layers": 1}, "epochs": 1, "seeds": 1}
    return Settings(folder, teacher, student, embed={"dimensions": 8})


@pytest.fixture(scope="module")
def out(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    require_same(settings, folder)
    assert run_parts(PARTS, settings, folder, folder / "page.md") == 0
    return folder


def read(out, part):
    return json.loads((out / "parts" / f"{part.name}.json").read_text())


def test_a_part_learns_from_what_it_says(out):
    """64 labels are 48 to train on; of 120 training texts 72 are the pool."""
    unit = json.loads((out / "units/kinds/64/0.json").read_text())
    assert unit["rows"] == {"train": 48, "validation": 16, "test": 40, "pool": 72}
    assert [read(out, part)["pool"] for part in PARTS] == [72, 72, 0, 0, 72]
    for part in PARTS:
        found = read(out, part)
        own = np.mean(np.array(list(found["answers"])) == np.array(list(unit["classes"])))
        assert found["accuracy"][found["selected"]] == pytest.approx(own)
    # All 120 labels, on three words that tell all: more than 48 and a teacher that has learned nothing.
    assert read(out, PARTS[3])["accuracy"][0] > 0.6


def test_a_second_run_makes_what_is_missing_alone(out, settings):
    kept = {part: (out / "parts" / f"{part.name}.json") for part in PARTS}
    before = {part: file.stat().st_mtime_ns for part, file in kept.items()}
    content = kept[PARTS[1]].read_text()
    kept[PARTS[1]].unlink()
    assert run_parts(PARTS, settings, out, out / "page.md", seconds=0) == 1  # no time for it
    assert run_parts(PARTS, settings, out, out / "page.md") == 0
    again = {part: file.stat().st_mtime_ns for part, file in kept.items()}
    assert [part for part in PARTS if again[part] != before[part]] == [PARTS[1]]
    assert json.loads(content)["answers"] == read(out, PARTS[1])["answers"]


def test_the_page_says_whose_teacher_it_is(out):
    write_page(out, out / "page.md")
    page = (out / "page.md").read_text()
    assert "tiny.gguf (Q4_1, dequantised)" in page
    assert "computed in float32" in page
    row = next(line for line in page.splitlines() if line.startswith("| 64 | all |"))
    gain = np.mean(read(out, PARTS[0])["accuracy"]) - np.mean(read(out, PARTS[2])["accuracy"])
    assert f"| {gain:+.3f} |" in row
    assert "against logistic regression:" in page
    assert "(LELP" in page


def test_other_settings_are_not_mixed(out, settings):
    other = Settings(settings.data, settings.teacher, {**settings.student, "epochs": 2}, embed=settings.embed)
    with pytest.raises(UserError, match=r"holds numbers of other settings \(student\); move it away"):
        require_same(other, out)


def test_every_cell_is_there_once_and_the_most_wanted_first():
    parts = list_parts(["thematic", "emotion"], ["corpus", "encoder"])
    assert len(set(parts)) == len(parts)
    assert len({part.name for part in parts}) == len(parts)
    assert parts[0] == Part(Unit("thematic", 240, 0), "corpus", "quantum", "distilled", 6000)
    assert [part.unit.task for part in parts].index("emotion") < 20
    of_all = [part for part in parts if part.unit.labels is None]
    assert {part.pool for part in of_all} == {0}  # no text is left without a label
    small = [part for part in parts if part.unit == Unit("thematic", 1200, 0) and exists(part, 5000)]
    assert {part.pool for part in small if part.how == "distilled"} == {0, 1000, None}  # 2,100 are no 6,000


@pytest.fixture
def written(tmp_path):
    """Parts as they are kept, of 10 test texts: accuracies and answers by hand."""
    truth = "0101010101"

    def put(place, **content):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))

    put("settings.json", teacher={"finetune": {"rank": 4}}, student={"engine": "fused"}, limit=None)
    machine = {"cpu": "abacus", "cores": 2, "load": 0.5, "python": "3.11", "versions": {"jax": "1"}}
    base = {"model": "llm.gguf", "weights": "Q4_1, dequantised", "parameters": 9}
    said = {"classes": truth, "teacher": truth, "machine": machine, "base": base, "dtype": "bfloat16"}
    for labels in ("64", "240", "1200"):
        put(f"units/thematic/{labels}/0.json", **said, versions={"torch": "2"}, commit="c0ffee")
    for name, accuracy in (
        ("64/0/corpus/quantum-labels_alone-0", [0.4, 0.6]),
        ("240/0/corpus/quantum-labels_alone-0", [0.6, 0.6]),
        ("1200/0/corpus/quantum-labels_alone-0", [0.8, 0.8]),
        ("240/0/corpus/quantum-distilled-6000", [0.7, 0.7]),
        ("240/0/corpus/logistic-distilled-6000", [0.6]),
        ("240/0/corpus/logistic-labels_alone-0", [0.5]),
        ("240/0/corpus/quantum-8x2-distilled-all", [0.65, 0.66]),
        ("240/0/corpus/mlp-distilled-all", [0.64]),
    ):
        wrong = truth[: round(10 * accuracy[0])] + "9" * (10 - round(10 * accuracy[0]))
        put(f"parts/thematic/{name}.json", commit="c0ffee", cpu="abacus", accuracy=accuracy, selected=0, answers=wrong)
    embedder = {"config": {"checkpoint": "/far/away/mini"}, "dimensions": 2}
    put("thematic/240/0/features-encoder/embedder.json", **embedder, inference_parameters=1234)
    write_page(tmp_path, tmp_path / "page.md")
    return (tmp_path / "page.md").read_text()


def test_the_page_judges_what_was_asked_for(written):
    """Labels alone reach 0.7 half way, by the logarithm, between 240 (0.6) and 1,200 (0.8): at 240 x sqrt(5) = 537."""
    assert (
        "0.700 (asked for: 0.75, missed), +0.100 over labels alone, 0.600 (asked for: 0.15, missed); "
        "+0.200 over logistic regression of the labels alone, 0.500; draws: 1." in written
    )
    assert "(0.700) takes some 540 labels without one, the better of both models" in written
    assert "Distilled, the quantum student against logistic regression: +0.1000 in the mean of 1 cells" in written
    assert "Labels alone, the quantum student against logistic regression: +0.1000 in the mean of 1 cells" in written
    assert "ahead in 0, behind in 0 (McNemar, Holm over the table). This holds." in written


def test_the_page_says_whose_features_they_are(written):
    assert "the frozen encoder `mini`, 2 numbers a text. Its 1,234 parameters are the student's too" in written


def test_the_page_says_nothing_of_a_break_even_that_was_not_measured(tmp_path, written):
    for labels in ("64", "1200"):
        shutil.rmtree(tmp_path / f"parts/thematic/{labels}")
    write_page(tmp_path, tmp_path / "page.md")
    assert "labels without one" in written
    assert "labels without one" not in (tmp_path / "page.md").read_text()


def test_the_page_shows_the_ceiling(written):
    assert "The teacher: 1.0000; an MLP of the student's size: 0.6400." in written
    assert "| 8 |  | 0.6550 |  |  |" in written
    assert "| 240 | 6000 | 1 | 0.600 | 0.700 | +0.100 |" in written
    assert "abacus, 2 cores, load 0.5 at the start; Python 3.11; torch 2, jax 1; commit c0ffee" in written
