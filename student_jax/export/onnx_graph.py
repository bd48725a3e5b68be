"""A trained student as an ONNX graph: features -> scores and probabilities, without JAX, in whatever runs ONNX.

In: a Checkpoint and, of features from a file, their embedding.  Out: build_graph(), check_graph(), TOLERANCE.
Imports: onnx, and onnxruntime to check; numpy, jax.

The graph is the circuit (`onnx_circuit.py`) in float32 between two affine maps.  A text's features are made elsewhere,
by what made them in training: ONNX has no operator for Unicode's normal forms, none that drops characters or cuts words
into n-grams as the features of kind `corpus` are cut, so that a graph of texts would disagree with its student.
"""

import json
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float
from onnx import TensorProto, checker, helper

from student_jax.calibration import soften
from student_jax.checkpoint import Checkpoint
from student_jax.circuit.gates import angle_shapes
from student_jax.data.file_features import FileEmbedding
from student_jax.export.onnx_circuit import OPSET, Nodes, find_live, write_circuit
from student_jax.model import Affine, Parameters
from teacher_cache.errors import UserError

INPUT, SCORES, PROBABILITIES = "features", "scores", "probabilities"
# ONNX 1.12's file format, the first that has the opset.
IR_VERSION = 8
# Of probabilities, and of scores beside the largest: what float32 leaves of a sum of 2^11 products.
TOLERANCE = 1e-5
# The state of so many qubits has 8 MB a row, and the graph's file as much a layer.
MAX_QUBITS = 20
CHECKED_ROWS = 256


class Difference(NamedTuple):
    """The largest between graph and student: of scores, in shares of the largest score, and of probabilities."""

    scores: float
    probabilities: float


def build_graph(checkpoint: Checkpoint, embedding: FileEmbedding | None = None) -> bytes:
    """The best seed as a serialised ONNX model; equal students give equal bytes.

    Args:
        checkpoint: a trained student.
        embedding: of features of the kind `file`: the graph then takes vectors as the file holds them.

    Raises:
        UserError: a circuit of the user's own, or one with more qubits than MAX_QUBITS.
    """
    description = checkpoint.description
    circuit, classes = description.config.circuit, len(description.labels)
    if circuit.file is None and circuit.qubits > MAX_QUBITS:
        raise UserError(f"a circuit must have at most {MAX_QUBITS} qubits for ONNX, got {circuit.qubits}")
    live = find_live(circuit, classes)
    parameters: Parameters = jax.tree.map(lambda array: np.float64(array[0]), checkpoint.selected_parameters)
    angles = {name: getattr(parameters.angles, name) for name in angle_shapes(circuit)}
    nodes = Nodes()
    halves = _write_halves(nodes, parameters.encoding, live.qubits, embedding)
    found, signs = write_circuit(nodes, halves, live, angles)
    readout = parameters.readout or Affine(np.eye(classes), np.zeros(classes))
    table, bias = nodes.hold(readout.weight.T @ signs), nodes.hold(readout.bias[None])
    nodes.add("Gemm", found, table, bias, outputs=[SCORES], transA=1, transB=1)
    softened = SCORES
    if description.temperature != 1:
        softened = nodes.add("Div", SCORES, nodes.hold([description.temperature]))
    nodes.add("Softmax", softened, outputs=[PROBABILITIES], axis=1)
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", classes]) for name in _OUTPUTS]
    given = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", description.dimensions])
    graph = helper.make_graph(nodes.nodes, "student", [given], outputs, nodes.constants)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="qdllm",
        producer_version=version("qdllm"),
    )
    helper.set_model_props(model, _describe(checkpoint, embedding))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


_OUTPUTS = (SCORES, PROBABILITIES)


def check_graph(
    model: bytes, vectors: Any, scores: Float[np.ndarray, "rows classes"], temperature: float = 1.0
) -> Difference:
    """Run a graph in onnxruntime and compare it with its student.

    Args:
        model: what `build_graph` returned.
        vectors: (rows, dimensions), what the graph takes; an array, or what gives slices of one.
        scores: what the student says of them.
        temperature: the student's, which divides its scores before the softmax.

    Raises:
        UserError: they differ by more than TOLERANCE.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    starts = range(0, len(scores), CHECKED_ROWS)
    answers = [session.run(_OUTPUTS, {INPUT: np.float32(vectors[k : k + CHECKED_ROWS])}) for k in starts]
    said, probabilities = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    found = Difference(
        float(np.abs(said - scores).max() / max(1.0, np.abs(scores).max())),
        float(np.abs(probabilities - soften(scores, temperature)).max()),
    )
    if not max(found) <= TOLERANCE:  # NaN, too
        raise UserError(
            f"graph and student must agree to {TOLERANCE:g} on {len(scores)} texts, got {found.scores:.1e} in scores "
            f"and {found.probabilities:.1e} in probabilities; nothing was written"
        )
    return found


def _write_halves(nodes: Nodes, encoding: Affine, qubits: list[int], embedding: FileEmbedding | None) -> str:
    """Half of z = E w + b of the live qubits, (qubits, rows)."""
    features = INPUT
    if embedding is not None:
        centred = nodes.add("Sub", features, nodes.hold(embedding.mean))
        features = nodes.add("Mul", centred, nodes.hold(embedding.scale))
    weight, bias = nodes.hold(encoding.weight[:, qubits] / 2), nodes.hold(encoding.bias[qubits, None] / 2)
    return nodes.add("Gemm", weight, features, bias, transA=1, transB=1)


def _describe(checkpoint: Checkpoint, embedding: FileEmbedding | None) -> dict[str, str]:
    """What the file says of itself, beside its shapes."""
    description = checkpoint.description
    of_file = "vectors as the file of features holds them"
    return {
        "labels": json.dumps(description.labels, ensure_ascii=False),
        "input": of_file if embedding is not None else "features as the embedder of embedder_sha256 makes them",
        "embedder_sha256": description.embedder,
        "temperature": repr(description.temperature),
        "seed": str(description.seeds[description.selected]),
        **{key: description.origin[key] for key in ("task", "teacher") if key in description.origin},
    }
