"""A student from training to prediction, from its folder alone."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy.special import softmax

from student_jax.calibration import Calibration
from student_jax.checkpoint import load_checkpoint, save_student
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import fit_embedder
from student_jax.model import build_model
from student_jax.student import Student
from student_jax.training.curves import read_curves
from student_jax.training.trainer import train
from teacher_cache.errors import UserError

CONFIG = StudentConfig(
    circuit=CircuitConfig(qubits=2, layers=1), epochs=30, batch_size=8, seeds=2, learning_rate=0.05, encoding_scale=0.5
)
TEXTS = [f"{mood} {thing} {k}" for k, (mood, thing) in enumerate([("good", "film"), ("bad", "film")] * 16)]
LABELS = np.array([0, 1] * 16, np.int32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a student that knows good from bad."""
    features = tmp_path_factory.mktemp("features")
    embedder = fit_embedder(EmbedConfig(dimensions=6), TEXTS, LABELS)
    embedder.save(features)
    logits = np.where(LABELS[:, None] == np.arange(2), 2.0, -2.0).astype(np.float32)
    split = Split(embedder.transform(TEXTS), logits, LABELS)
    training = train(build_model(CONFIG, 6, 2), {"train": split, "validation": split}, CONFIG, 0, "test")
    student = tmp_path_factory.mktemp("student")
    save_student(student, training, CONFIG, ["fine", "poor"], features, {"task": "mood"})
    return student


def test_a_students_folder_holds_all_it_needs(folder):
    names = ["curves.csv", "embedder.json", "embedder.safetensors", "student.json", "student.safetensors"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert len(read_curves(folder / "curves.csv")) == 60


def test_prediction_is_right_and_adds_up(folder):
    student = Student.load(folder)
    found = student.predict(["good film", "bad film", "a good one"])
    assert found.labels == ["fine", "poor", "fine"]
    assert student.labels == ["fine", "poor"]
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)


def test_prediction_is_the_definition(folder):
    """Features, z = E w + b, the QNode's <Z>, readout, softmax, by NumPy and PennyLane with the selected seed."""
    student, checkpoint = Student.load(folder), load_checkpoint(folder)
    chosen = jax.tree.map(lambda array: array[checkpoint.description.selected], checkpoint.parameters)
    z = student.embedder.transform(TEXTS[:4]) @ chosen.encoding.weight + chosen.encoding.bias
    values = np.stack(build_qnode(CONFIG.circuit, 2)(z, chosen.angles), axis=-1)
    expected = softmax(values @ chosen.readout.weight + chosen.readout.bias, axis=1)
    np.testing.assert_allclose(student.predict(TEXTS[:4]).probabilities, expected, atol=1e-5)


def test_the_temperature_is_used_and_changes_no_label(folder):
    plain = Student.load(folder)
    calibration = Calibration(temperature=3.0, confidences=[0.9, 0.6], texts=[40, 20], right=[38, 10])
    description = replace(plain.checkpoint.description, calibration=calibration)
    student = replace(plain, checkpoint=replace(plain.checkpoint, description=description))
    before, after = plain.predict(TEXTS), student.predict(TEXTS)
    assert after.labels == before.labels
    np.testing.assert_allclose(after.probabilities, softmax(np.log(before.probabilities) / 3, axis=1), atol=1e-5)
    assert student.find_threshold(0.9).confidence == 0.9
    with pytest.raises(UserError, match="a wanted accuracy needs a student that was trained with 50 validation"):
        plain.find_threshold(0.9)


def test_who_is_not_sure_enough_gives_no_name(folder):
    student = Student.load(folder)
    texts = ["good film", "", "bad film"]
    probabilities = student.predict(texts).probabilities
    least = float(probabilities[0].max())
    assert student.predict(texts, confidence=least).labels[0] == "fine"
    sure = student.predict(texts, confidence=np.nextafter(least, 1, dtype=np.float32).item())
    assert sure.labels[:2] == [None, None]
    np.testing.assert_array_equal(sure.probabilities, probabilities)
    features = student.embedder.transform(["good film"])
    assert student.predict_features(features, confidence=1.0).labels == [None]
    with pytest.raises(UserError, match="confidence must be from 0 to 1, got 80"):
        student.predict(texts, confidence=80.0)


def test_no_texts_and_one_string(folder):
    student = Student.load(folder)
    assert student.predict([]).labels == []
    assert student.predict([]).probabilities.shape == (0, 2)
    with pytest.raises(UserError, match="must be a list of texts"):
        student.predict("good film")


def test_a_text_fails_alone_and_its_form_does_not_matter(folder):
    student = Student.load(folder)
    texts = ["good film", " bad\n\u00a0film", "", "a\0", None, "x" * 20_001, "good film"]
    labels, probabilities = student.predict(texts)
    assert labels == ["fine", "poor", None, None, None, None, "fine"]
    assert np.isnan(probabilities).all(axis=1).tolist() == [False, False, True, True, True, True, False]
    np.testing.assert_allclose(probabilities[0], student.predict(["good film"]).probabilities[0], atol=1e-6)
    assert student.find_faults(texts) == [
        None,
        None,
        "text must not be empty, got nothing that can be seen",
        "text must be Unicode without NUL, got NUL at character 2",
        "text must be a string, got NoneType",
        "text must have at most 20000 characters, got 20001",
        None,
    ]


def test_a_fork_is_refused_in_one_line(folder):
    """As a child sees it: JAX's threads stay behind, and it would wait for ever."""
    student = Student.load(folder, engine="fused")
    assert student.predict(["good film"]).labels == ["fine"]
    student.scorer.process = 1
    with pytest.raises(UserError, match=r"in the process that loaded it, 1, got its fork \d+; load it in the fork"):
        student.predict(["good film"])


def test_a_foreign_embedder_is_refused(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    fit_embedder(EmbedConfig(dimensions=6), TEXTS[:20], LABELS[:20]).save(tmp_path)
    with pytest.raises(UserError, match="another student's"):
        Student.load(tmp_path)


WALL = """
import sys

class Wall:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"torch", "transformers", "peft", "accelerate", "jax", "pennylane"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Wall())
from student_jax.student import Student
print(Student.load(sys.argv[1]).predict(["bad film"]).labels)
try:
    Student.load(sys.argv[1], engine="fused")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_prediction_needs_neither_torch_nor_jax_and_an_engine_says_so(folder):
    done = subprocess.run([sys.executable, "-c", WALL, str(folder)], capture_output=True, text=True, check=False)
    refusal = "UserError engine fused needs jax: pip install 'qdllm[student]'"
    assert done.stdout.splitlines() == ["['poor']", refusal], done.stderr
