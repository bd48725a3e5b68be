"""A circuit from a user's file: the shipped one's values for the shipped gates, refused where it cannot be trained."""

import hashlib
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from student_jax.checkpoint import load_checkpoint, save_student
from student_jax.circuit.layers import Angles
from student_jax.comparators.controls import build_control
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import fit_embedder
from student_jax.diagnosis.live_parameters import count_parameters
from student_jax.engines import build_engine
from student_jax.export.drawing import render_text
from student_jax.model import build_model, count_trainable
from student_jax.student import Student
from student_jax.training.trainer import train
from teacher_cache.errors import UserError

# The shipped circuit of one layer and two qubits, with tied rotations.
SAME = """
import pennylane as qml

def circuit(z, theta, delta):
    qml.AngleEmbedding(z, wires=range(2), rotation="X")
    for qubit in range(2):
        qml.RY(theta[0, qubit], wires=qubit)
    qml.IsingZZ(delta[0], wires=(0, 1))
    for qubit in range(2):
        qml.RZ(theta[1, qubit], wires=qubit)
    qml.CNOT(wires=(0, 1))
    for qubit in range(2):
        qml.RY(theta[2, qubit], wires=qubit)
    return [qml.expval(qml.Z(0)), qml.expval(qml.Z(1))]
"""
ARRAYS = {"theta": [3, 2], "delta": [1]}


def write(path, source=SAME, arrays=ARRAYS, outputs=2):
    path.write_text(source)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return CircuitConfig(qubits=2, file=str(path), sha256=digest, arrays=arrays, outputs=outputs)


def test_the_same_gates_give_the_shipped_circuits_values(tmp_path):
    """Two layers of the shipped circuit; the last one's RZ, RZZ and CNOT only change which product of Z is read."""
    shipped = CircuitConfig(qubits=2, layers=2, rotations="tied")
    generator = np.random.default_rng(3)
    z, theta, delta = (generator.normal(size=shape).astype(np.float32) for shape in ((5, 2), (3, 2), (1,)))
    zeros = np.zeros(2, np.float32)
    angles = Angles(
        ry=np.stack([theta[0], theta[2]])[..., None],
        rzz=np.array([delta, [0]]),
        rz=np.stack([theta[1], zeros])[..., None],
    )
    expected = build_engine("fused", shipped, 2, "float32")(jnp.asarray(z), jax.tree.map(jnp.asarray, angles))
    found = jax.jit(build_engine("default.qubit", write(tmp_path / "own.py"), 2, "float32"))(
        jnp.asarray(z), {"theta": jnp.asarray(theta), "delta": jnp.asarray(delta)}
    )
    np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-5)  # Z_0 stays what it is under the last CNOT


REST = "    return [qml.expval(qml.Z(0)), qml.expval(qml.Z(1))]\n"
HEAD = "import pennylane as qml\nimport numpy as np\nimport jax\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def circuit(z, theta, delta:", r"own\.py must run as Python, got SyntaxError"),
        ("import nowhere_at_all", r"own\.py must run as Python, got ModuleNotFoundError: No module named"),
        ("def other(z): ...", r"own\.py must define circuit\(z, theta, delta\), as circuit\.arrays names its arrays"),
        ("def circuit(z, phi): ...", r"own\.py must define circuit\(z, theta, delta\)"),
        ("circuit = 3", r"own\.py must define circuit\(z, theta, delta\)"),
        (SAME.replace("delta[0]", "delta[0, 0]"), r"own\.py: circuit must run, got IndexError"),
        (SAME.replace(", qml.expval(qml.Z(1))", ""), r"must return 2 expectation values, .*, got shape \(1,\)"),
        (SAME.replace("delta[0],", "0.3,"), r"circuit must depend on delta, got a gradient of 0 at random angles"),
        (SAME.replace("delta[0],", "jax.lax.stop_gradient(delta[0]),").replace("import", "import jax\nimport", 1),
         "must depend on delta"),
        (SAME.replace("delta[0],", "float(delta[0]),"), "JAX must be able to differentiate and vectorise circuit"),
        (SAME.replace("delta[0],", "delta[0] / 0,"), r"its values must be finite, got NaN or infinity"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_line(tmp_path, source, message):
    with pytest.raises(UserError, match=message) as caught:
        build_engine("default.qubit", write(tmp_path / "own.py", source), 2, "float32")
    assert "\n" not in str(caught.value)


def test_a_changed_or_missing_file_and_another_engine_are_refused(tmp_path):
    config = write(tmp_path / "own.py")
    with pytest.raises(UserError, match=r"engine must be default\.qubit for a circuit of your own, got fused"):
        build_engine("fused", config, 2, "float32")
    (tmp_path / "own.py").write_text("raise SystemExit")  # which must not run
    with pytest.raises(UserError, match=f"own.py: circuit.sha256 must be .*, this file's own, got {config.sha256}"):
        build_engine("default.qubit", config, 2, "float32")
    with pytest.raises(UserError, match=r"circuit\.file must be a Python file, got \S+/nowhere"):
        build_engine("default.qubit", replace(config, file="nowhere"), 2, "float32")
    with pytest.raises(ValueError, match="a circuit of a file must have arrays, outputs and readout linear"):
        CircuitConfig(file="own.py")
    with pytest.raises(ValueError, match="sha256, arrays and outputs must go with a file"):
        CircuitConfig(outputs=3)


def test_a_student_of_it_is_trained_saved_and_asked_and_its_folder_runs_nothing(tmp_path):
    config = StudentConfig(
        circuit=write(tmp_path / "own.py"),
        engine="default.qubit",
        epochs=20,
        batch_size=8,
        seeds=2,
        learning_rate=0.05,
        encoding_scale=0.5,
    )
    texts = [f"{mood} film {k}" for k, mood in enumerate(["good", "bad"] * 16)]
    labels = np.array([0, 1] * 16, np.int32)
    features, folder = tmp_path / "features", tmp_path / "student"
    features.mkdir(), folder.mkdir()
    embedder = fit_embedder(EmbedConfig(dimensions=6), texts, labels)
    embedder.save(features)
    logits = np.where(labels[:, None] == np.arange(2), 2.0, -2.0).astype(np.float32)
    split = Split(embedder.transform(texts), logits, labels)
    model = build_model(config, 6, 2)
    assert count_trainable(model) == 6 * 2 + 2 + 6 + 1 + 2 * 2 + 2
    training = train(model, {"train": split, "validation": split}, config, 0, "test")
    save_student(folder, training, config, ["fine", "poor"], features, {"task": "mood"})

    moved = tmp_path / "elsewhere.py"
    moved.write_bytes((tmp_path / "own.py").read_bytes())
    (tmp_path / "own.py").unlink()
    assert Student.load(folder, circuit=moved).predict(["good film", "bad film"]).labels == ["fine", "poor"]
    with pytest.raises(
        UserError, match=r"student has a circuit of its own: its file, own\.py with SHA-256 .* must be named"
    ):
        load_checkpoint(folder)
    moved.write_text(SAME + "\n")
    with pytest.raises(UserError, match=r"elsewhere\.py: circuit\.sha256 must be"):
        Student.load(folder, circuit=moved)


def test_controls_and_drawings_work_or_say_why_not(tmp_path):
    config = StudentConfig(circuit=write(tmp_path / "own.py"), engine="default.qubit")
    frozen = build_control("frozen_circuit", config, 6, 2)
    assert count_trainable(frozen) == 6 * 2 + 2 + 2 * 2 + 2
    assert count_parameters(config, 6, 2) == (27, 0)
    for name in ("linear", "mlp"):
        assert count_trainable(build_control(name, config, 6, 2)) <= 27
    with pytest.raises(UserError, match="comparators must leave out no_entanglement"):
        build_control("no_entanglement", config, 6, 2)
    with pytest.raises(UserError, match=r"the gates must be the shipped circuit's, got the circuit of .*own\.py"):
        render_text(config.circuit, 2)
