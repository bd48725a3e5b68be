"""Values and gradients by engine `native`, rows shared by what devices there are.

Run: python -m tests.student_jax.engines.shared_rows FILE, with QDLLM_NATIVE and XLA_FLAGS as wanted.
Out: the arrays of compute_shared(), in FILE.  Imports: jax; no PennyLane, which takes seconds.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine


def draw(circuit, batch, precision):
    random = np.random.default_rng(batch)
    angles = Angles(*(random.normal(size=shape).astype(precision) for shape in angle_shapes(circuit).values()))
    return random.normal(size=(batch, circuit.qubits)).astype(precision), angles


def compute_shared():
    """Values and gradients by `native` in both precisions, rows shared by what devices there are, flat arrays."""
    mesh = Mesh(np.array(jax.devices()), "rows")
    rows, whole = jax.P("rows"), jax.P()
    found = []
    for precision in ("float32", "float64"):
        for qubits, entanglement in ((6, "chain"), (9, "ring")):
            circuit = CircuitConfig(qubits=qubits, layers=3, entanglement=entanglement, rotations="tied")
            engine = build_engine("native", circuit, 2, precision)

            def compute(z, angles, engine=engine):
                values, pull = jax.vjp(engine, z, angles)
                by_z, by_angles = pull(jnp.sin(3 * values))
                return values, by_z, jax.lax.psum(by_angles, "rows")

            share = jax.shard_map(
                compute, mesh=mesh, in_specs=(rows, whole), out_specs=(rows, rows, whole), check_vma=False
            )
            found += jax.tree.leaves(jax.jit(share)(*draw(circuit, 44, precision)))
    return [np.asarray(array) for array in found]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    np.savez(sys.argv[1], *compute_shared())
