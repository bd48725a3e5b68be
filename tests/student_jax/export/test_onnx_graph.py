"""The ONNX graph is run by onnxruntime and compared with the student's own scores and with the QNode."""

import json
from dataclasses import replace

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import softmax

from student_jax.calibration import Calibration
from student_jax.checkpoint import Checkpoint, Description
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.file_features import FileEmbedding
from student_jax.export.onnx_graph import build_graph, check_graph
from student_jax.model import initialise_parameters
from teacher_cache.errors import UserError

DIMENSIONS, CLASSES, ROWS = 5, 3, 7
CIRCUITS = [
    CircuitConfig(qubits=5, layers=3),
    CircuitConfig(qubits=4, layers=2, entanglement="ring", rotations="tied"),
    CircuitConfig(qubits=2, layers=1),
    CircuitConfig(qubits=3, layers=3, ansatz="reupload"),
    CircuitConfig(qubits=7, layers=2, readout="first"),  # a light cone of five qubits
]


def make_student(circuit, precision="float32"):
    """Two seeds at random, angles far from zero, the second selected; and features."""
    config = StudentConfig(circuit=circuit, encoding_scale=1.0, angle_scale=2.0, precision=precision)
    random = np.random.default_rng(0)
    seeds = [initialise_parameters(config, DIMENSIONS, CLASSES, random) for _ in range(2)]
    labels = ["no", "yes", "é"]
    description = Description(labels, DIMENSIONS, config, [3, 4], [1, 1], 1, 0.0, "0" * 64, {"task": "t"})
    parameters = jax.tree.map(lambda *arrays: np.stack(arrays), *seeds)
    return Checkpoint(description, parameters), random.normal(size=(ROWS, DIMENSIONS)).astype(np.float32)


def score(checkpoint, features):
    """By PennyLane and NumPy, in float64."""
    encoding, angles, readout = jax.tree.map(lambda array: array[1].astype(np.float64), checkpoint.parameters)
    z = features.astype(np.float64) @ encoding.weight + encoding.bias
    values = np.stack(build_qnode(checkpoint.description.config.circuit, CLASSES)(z, angles), axis=-1)
    return values if readout is None else values @ readout.weight + readout.bias


def run(model, features):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["scores", "probabilities"], {"features": features})


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_a_graph_has_the_qnodes_scores(circuit):
    checkpoint, features = make_student(circuit)
    expected = score(checkpoint, features)
    scores, probabilities = run(build_graph(checkpoint), features)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=5e-6)
    np.testing.assert_allclose(probabilities, softmax(expected, axis=1), rtol=0, atol=5e-6)


def test_the_graph_has_the_students_temperature():
    checkpoint, features = make_student(CIRCUITS[2])
    fitted = Calibration(temperature=2.5, confidences=[0.5], texts=[50], right=[40])
    calibrated = Checkpoint(replace(checkpoint.description, calibration=fitted), checkpoint.parameters)
    model, expected = build_graph(calibrated), score(checkpoint, features)
    scores, probabilities = run(model, features)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=5e-6)
    np.testing.assert_allclose(probabilities, softmax(expected / 2.5, axis=1), rtol=0, atol=5e-6)
    assert max(check_graph(model, features, expected, 2.5)) < 1e-6
    with pytest.raises(UserError, match="must agree"):
        check_graph(model, features, expected)


def test_one_row_is_a_batch_of_one_and_double_precision_is_rounded():
    checkpoint, features = make_student(CIRCUITS[0], "float64")
    np.testing.assert_allclose(
        run(build_graph(checkpoint), features[:1])[0], score(checkpoint, features[:1]), rtol=0, atol=5e-6
    )


def test_vectors_of_a_file_are_scaled_in_the_graph():
    checkpoint, vectors = make_student(CIRCUITS[2])
    embedding = FileEmbedding(np.arange(5, dtype=np.float32), np.array([0.5], np.float32), "some.parquet")
    found = run(build_graph(checkpoint, embedding), vectors)[0]
    np.testing.assert_allclose(found, score(checkpoint, embedding.prepare(vectors)), rtol=0, atol=5e-6)


def test_dead_qubits_are_left_out_of_the_graph():
    """`first`, 3 classes, 2 layers: five of seven qubits act, so no constant has more than 2^5 states."""
    model = onnx.load_from_string(build_graph(make_student(CIRCUITS[4])[0]))
    assert max(max(constant.dims, default=0) for constant in model.graph.initializer) == 32


def test_the_file_says_what_it_is():
    checkpoint, _ = make_student(CIRCUITS[0])
    data = build_graph(checkpoint)
    assert data == build_graph(checkpoint)
    model = onnx.load_from_string(data)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert {one.domain for one in model.graph.node} == {""}
    said = {one.key: one.value for one in model.metadata_props}
    assert json.loads(said["labels"]) == ["no", "yes", "é"]
    assert (said["task"], said["seed"]) == ("t", "4")


def test_a_graph_that_disagrees_is_refused():
    checkpoint, features = make_student(CIRCUITS[2])
    model, scores = build_graph(checkpoint), score(checkpoint, features)
    assert max(check_graph(model, features, scores)) < 1e-6
    for wrong in (1e-4, np.nan):
        with pytest.raises(UserError, match=r"must agree to 1e-05 on 7 texts, got .*; nothing was written"):
            check_graph(model, features, scores + np.array([[wrong, 0, 0]]))


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        (CircuitConfig(file="own.py", sha256="0" * 64, arrays={"a": [1]}, outputs=1), "must be the shipped circuit's"),
        (CircuitConfig(qubits=21, layers=1), "at most 20 qubits for ONNX, got 21"),
    ],
)
def test_refusals(circuit, message):
    checkpoint, _ = make_student(CIRCUITS[2])
    description = replace(checkpoint.description, config=replace(checkpoint.description.config, circuit=circuit))
    with pytest.raises(UserError, match=message):
        build_graph(Checkpoint(description, checkpoint.parameters))
