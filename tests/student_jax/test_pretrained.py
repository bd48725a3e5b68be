"""A student from a hub: a hub on this machine answers like the real one."""

import numpy as np
import pytest

from student_jax import pretrained
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.student import Student
from teacher_cache.errors import UserError
from tests.untrained import write_student

TEXTS = ["good film", "bad film", "a good one", "a bad one"]
REPO, COMMIT = "someone/student", "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path):
    """A student as `qdllm publish` writes it, and what else a stranger's repository may hold."""
    (tmp_path / "student").mkdir()
    config = StudentConfig(circuit=CircuitConfig(qubits=2, layers=1))
    embed = EmbedConfig(dimensions=3, min_document_frequency=1)
    write_student(tmp_path / "student", TEXTS, [0, 1, 0, 1], ["no", "yes"], config, embed)
    (tmp_path / "student" / "modeling.py").write_text("raise SystemExit")
    (tmp_path / "student" / "weights.pkl").write_bytes(b"\x80\x04N.")
    return tmp_path / "student"


@pytest.fixture
def published(hub, folder):
    hub.add(REPO, COMMIT, folder, "main")
    return hub


def test_a_student_comes_from_the_hub_and_stays(published, folder, tmp_path):
    """Its own files and no others; the hub may then vanish."""
    student = Student.from_pretrained(REPO, COMMIT)
    published.refusal = 500, ""
    again = Student.from_pretrained(REPO, revision=COMMIT, engine="default.qubit")
    expected = Student.load(folder).predict(TEXTS).probabilities
    np.testing.assert_array_equal(student.predict(TEXTS).probabilities, expected)
    np.testing.assert_allclose(again.predict(TEXTS).probabilities, expected, atol=1e-6)
    held = {path.name for path in (tmp_path / "hub_cache").rglob("*")}
    assert {"student.json", "student.safetensors", "embedder.json", "embedder.safetensors"} <= held
    assert not {"modeling.py", "weights.pkl"} & held


@pytest.mark.parametrize("revision", ["main", "v1.0", COMMIT[:12], COMMIT.upper(), ""])
def test_a_revision_must_be_pinned(published, revision):
    with pytest.raises(UserError, match="revision must be the 40 hexadecimal digits of a commit, got"):
        Student.from_pretrained(REPO, revision)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((403, "GatedRepo"), "someone/student is gated: accept its licence"),
        ((404, "RepoNotFound"), "repo must be the hub id of a student, .* got someone/student"),
        ((404, "RevisionNotFound"), f"revision must be a commit of someone/student, got {COMMIT}"),
        ((418, ""), "someone/student could not be fetched: .*418"),
    ],
)
def test_what_a_hub_refuses(hub, refusal, message):
    hub.refusal = refusal
    with pytest.raises(UserError, match=message) as caught:
        Student.from_pretrained(REPO, COMMIT)
    assert "\n" not in str(caught.value)


def test_not_a_repository(hub):
    with pytest.raises(UserError, match=r"repo must be the hub id of a student, .* got no/such/folder"):
        Student.from_pretrained("no/such/folder", COMMIT)


def test_a_repository_without_a_student(published, folder):
    (folder / "embedder.json").unlink()
    with pytest.raises(UserError, match=r"someone/student must hold a student, got no embedder\.json at"):
        Student.from_pretrained(REPO, COMMIT)


@pytest.mark.parametrize(
    ("name", "limit"), [("student.json", "MAX_BYTES"), ("student.safetensors", "MAX_TENSORS_BYTES")]
)
def test_a_file_that_is_too_large_is_not_fetched(published, monkeypatch, tmp_path, name, limit):
    monkeypatch.setattr(pretrained, limit, 99)
    with pytest.raises(UserError, match=rf"{name} of someone/student must have at most 99 bytes, got \d+"):
        Student.from_pretrained(REPO, COMMIT)
    assert name not in {path.name for path in (tmp_path / "hub_cache").rglob("*")}


def test_a_forged_file_is_refused(published, folder):
    data = bytearray((folder / "student.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "student.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"is not the file of student\.json: sha256 must be"):
        Student.from_pretrained(REPO, COMMIT)
