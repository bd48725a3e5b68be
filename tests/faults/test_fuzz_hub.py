"""Whatever a hub answers for a student's files, loading gives the original numbers or one clear line."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.student import Student
from teacher_cache.errors import UserError
from tests.faults.mutations import damage_bytes
from tests.faults.outcomes import judge
from tests.untrained import write_student

TEXTS = ["good film", "bad film", "a good one", "a bad one"]
REPO = "someone/student"
# The hub and the places on disk outlive an example; each example is a commit of its own.
FUZZ = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def files(tmp_path):
    """A whole student's files by name."""
    config = StudentConfig(circuit=CircuitConfig(qubits=2, layers=1))
    embed = EmbedConfig(dimensions=3, min_document_frequency=1)
    folder = tmp_path / "student"
    folder.mkdir()
    write_student(folder, TEXTS, [0, 1, 0, 1], ["no", "yes"], config, embed)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def publish(hub, tmp_path, files):
    commit = hashlib.sha1(b"".join(files[name] for name in sorted(files))).hexdigest()
    folder = tmp_path / "commits" / commit
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    hub.add(REPO, commit, folder, "main")
    return commit


def load(commit):
    return Student.from_pretrained(REPO, commit).predict(TEXTS).probabilities.tobytes()


@pytest.fixture
def truth(hub, files, tmp_path):
    """What the whole student says."""
    return load(publish(hub, tmp_path, files))


@FUZZ
@given(data=st.data())
def test_damaged_bytes(hub, files, truth, tmp_path, data):
    name = data.draw(st.sampled_from(sorted(files)))
    damaged = {**files, name: data.draw(damage_bytes(files[name]))}
    outcome, complaint = judge(lambda: load(publish(hub, tmp_path, damaged)), truth)
    assert outcome in ("correct", "refused"), complaint


@pytest.mark.parametrize("length", ["0", "7", "99999", "-1", "many", None])
def test_a_length_that_is_not_the_files(hub, files, tmp_path, length):
    """What is said before the download is not what comes."""
    hub.lengths = {"student.safetensors": length}
    with pytest.raises(UserError) as caught:
        load(publish(hub, tmp_path, files))
    assert "\n" not in str(caught.value)
