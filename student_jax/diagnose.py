"""What a circuit looks like, and which of its parameters can move an output at all.

In: CircuitConfig, number of classes.  Out: draw_circuit(), count_dead().
Imports: jax; pennylane and matplotlib to draw.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit import Angles, angle_shapes, build_qnode, measured_wires
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from teacher_cache.publish import publish_file


def draw_circuit(circuit: CircuitConfig, classes: int, path: Path) -> None:
    """Publish the circuit as an SVG, every gate in its place and no angles."""
    import matplotlib as mpl
    import pennylane as qml
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    angles = Angles(*(jnp.zeros(shape) for shape in angle_shapes(circuit)))
    figure: Figure
    figure, _ = qml.draw_mpl(build_qnode(circuit, classes), style="black_white", level="device")(
        np.zeros(circuit.qubits), angles
    )
    with mpl.rc_context({"svg.hashsalt": "qdllm", "svg.fonttype": "none"}), publish_file(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def count_dead(circuit: CircuitConfig, classes: int) -> int:
    """How many angles change no output: outside the readout's light cone, or diagonal before the measurement.

    Their derivative is 0 as an identity, so at random angles it is 0 to the last bit, and others' are not.
    """
    engine = build_engine("fused", circuit, classes, "float32")
    random = np.random.default_rng(0)
    angles = Angles(*(jnp.asarray(random.uniform(-1, 1, shape), jnp.float32) for shape in angle_shapes(circuit)))
    z = jnp.asarray(random.uniform(-1, 1, (4, circuit.qubits)), jnp.float32)
    weights = jnp.asarray(random.normal(size=(4, len(measured_wires(circuit, classes)))), jnp.float32)
    gradient = jax.jit(jax.grad(lambda angles: jnp.sum(engine(z, angles) * weights)))(angles)
    return sum(int((array == 0).sum()) for array in gradient)
