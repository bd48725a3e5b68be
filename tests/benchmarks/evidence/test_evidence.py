"""The evidence's script, on a tiny LLM and a tiny circuit: made, resumed, written down, and not mixed."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.identity import hash_once
from tests.benchmarks.evidence.page import write_page
from tests.benchmarks.evidence.parts import Part, Unit, exists, list_parts
from tests.benchmarks.evidence.run_evidence import require_same, run_parts
from tests.benchmarks.evidence.students import STRENGTHS, fit_logistic
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
    student = {"circuit": {"qubits": 2, "layers": 1}, "epochs": 1, "seeds": 1}
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


def test_logistic_regression_is_scikit_learns(out):
    """On labels alone, at the strength that it chose."""
    from sklearn.linear_model import LogisticRegression

    from student_jax.config import LossConfig, StudentConfig
    from student_jax.data.dataset import Split

    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 5))
    labels = random.integers(3, size=90).astype(np.int32)
    features = (centres[labels] + random.normal(size=(90, 5))).astype(np.float32)
    rows = Split(features, np.zeros((90, 3), np.float32), labels)
    config = StudentConfig(loss=LossConfig(soft=0.0, hard=1.0), pool=0)
    scores, _, setting, _ = fit_logistic(dict.fromkeys(("train", "validation", "test"), rows), config)
    assert setting["C"] in STRENGTHS
    reference = LogisticRegression(C=setting["C"], max_iter=5000, tol=1e-8).fit(features, labels)
    expected = reference.decision_function(features)
    found = scores[0] - scores[0].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected - expected.mean(axis=1, keepdims=True), atol=2e-3)
