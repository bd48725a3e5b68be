"""Every engine against the QNode on default.qubit, differentiated by autograd: independent values and gradients."""

import logging
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.engines import build_engine, choose, choose_engine
from student_jax.model import resolve_engine
from teacher_cache.errors import UserError

BATCH = 3
FAST = ["fused", "native"]
CIRCUITS = [
    # qubits, layers, entanglement, readout, rotations
    (2, 1, "chain", "linear", "triple"),
    (2, 3, "ring", "linear", "triple"),
    (4, 3, "chain", "linear", "tied"),
    (6, 4, "ring", "linear", "tied"),
    (7, 3, "chain", "first", "triple"),
    (9, 2, "ring", "first", "tied"),
    (11, 4, "chain", "linear", "triple"),
    (11, 6, "ring", "linear", "triple"),
]


def make_circuit(qubits, layers, entanglement, readout, rotations):
    return CircuitConfig(qubits=qubits, layers=layers, entanglement=entanglement, readout=readout, rotations=rotations)


def draw_arguments(circuit, seed=0):
    random = np.random.default_rng(seed)
    z = random.uniform(-2, 2, (BATCH, circuit.qubits))
    return z, Angles(*(random.uniform(-2, 2, shape) for shape in angle_shapes(circuit).values()))


def weigh(values):
    """Fixed weights, all different, so that no gradient cancels by symmetry."""
    return np.random.default_rng(9).normal(size=values.shape)


@cache
def reference(circuit, classes=2):
    """Values and the gradient of their weighted sum, by PennyLane alone."""
    z, angles = draw_arguments(circuit)
    qnode = build_qnode(circuit, classes)

    def values(z, *angles):
        if circuit.qubits < 12:
            return qml.math.stack(qnode(z, Angles(*angles)), axis=-1)
        # PennyLane 0.45 cannot differentiate a batch of so many qubits: "shape-mismatch for sum".
        return qml.math.stack([qml.math.stack(qnode(row, Angles(*angles))) for row in z])

    arguments = [qml.numpy.array(array, requires_grad=True) for array in (z, *angles)]
    expected = values(z, *angles)
    weights = weigh(expected)
    gradients = qml.grad(lambda *arguments: qml.math.sum(weights * values(*arguments)))(*arguments)
    return expected, gradients


def value_and_gradients(engine, z, angles):
    def loss(z, angles):
        values = engine(z, angles)
        return jnp.sum(values * weigh(values)), values

    (_, values), (dz, dangles) = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(z, angles)
    return values, (dz, *dangles)


def assert_agrees(engine, circuit, tolerance, classes=2):
    values, gradients = value_and_gradients(engine, *jax.tree.map(jnp.asarray, draw_arguments(circuit)))
    expected, expected_gradients = reference(circuit, classes)
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("settings", CIRCUITS)
def test_fast_engines_agree_in_float64(settings, name):
    circuit = make_circuit(*settings)
    with jax.enable_x64(True):
        assert_agrees(build_engine(name, circuit, 2, "float64"), circuit, 1e-10)


@pytest.mark.parametrize("name", FAST)
def test_fast_engines_agree_in_float32(name):
    circuit = CircuitConfig(qubits=11, layers=4)
    engine = build_engine(name, circuit, 2, "float32")
    assert jax.eval_shape(engine, *draw_arguments(circuit)).dtype == jnp.float32
    assert_agrees(engine, circuit, 1e-5)


@pytest.mark.parametrize("name", ["default.qubit", "lightning.qubit"])
def test_pennylane_engines_agree_in_float64(name):
    """The engines simulate summed rotations; the reference applies all three."""
    circuit = make_circuit(3, 2, "ring", "linear", "triple")
    with jax.enable_x64(True):
        assert_agrees(build_engine(name, circuit, 2, "float64"), circuit, 1e-10)


@pytest.mark.parametrize("name", FAST)
def test_one_layer_is_a_product_of_cosines(name):
    """By hand: <Z_k> = product over i <= k of cos(theta_i) cos(z_i), theta_i the summed RY angle.

    RY RX |0> has <Z> = cos(theta) cos(z); diagonals do not change Z products; the CNOTs turn Z_k into Z_0 ... Z_k.
    """
    circuit = CircuitConfig(qubits=7, layers=1)
    random = np.random.default_rng(1)
    z = random.normal(size=(5, circuit.qubits))
    angles = Angles(*(random.normal(size=shape) for shape in angle_shapes(circuit).values()))
    with jax.enable_x64(True):
        values = jax.jit(build_engine(name, circuit, 2, "float64"))(z, angles)
    expected = np.cumprod(np.cos(angles.ry[0].sum(axis=-1)) * np.cos(z), axis=1)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FAST)
def test_gradient_is_the_finite_difference(name):
    """Along a random direction of all arguments at once, for the hand-written reverse pass."""
    circuit = CircuitConfig(qubits=5, layers=4, entanglement="ring")
    with jax.enable_x64(True):
        engine = build_engine(name, circuit, 2, "float64")
        point = jax.tree.map(jnp.asarray, draw_arguments(circuit, seed=2))
        direction = jax.tree.map(jnp.asarray, draw_arguments(circuit, seed=3))

        def loss(step):
            z, angles = jax.tree.map(lambda a, b: a + step * b, point, direction)
            values = engine(z, angles)
            return jnp.sum(jnp.tanh(values) * weigh(values))

        loss = jax.jit(loss)
        h = 1e-5
        difference = (loss(h) - loss(-h)) / (2 * h)
        np.testing.assert_allclose(jax.grad(loss)(0.0), difference, rtol=1e-7)


@pytest.mark.parametrize("name", FAST)
def test_seeds_run_side_by_side(name):
    """Under vmap every seed has its own inputs and angles, and the results of its own run."""
    circuit = CircuitConfig(qubits=4, layers=2)
    engine = build_engine(name, circuit, 2, "float32")
    runs = [jax.tree.map(jnp.float32, draw_arguments(circuit, seed)) for seed in (4, 5)]
    together = jax.vmap(lambda z, angles: value_and_gradients(engine, z, angles))(
        *jax.tree.map(lambda *arrays: jnp.stack(arrays), *runs)
    )
    for seed, run in enumerate(runs):
        alone = value_and_gradients(engine, *run)
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a[seed], b, rtol=0, atol=2e-6)


def test_tied_rotations_follow_the_same_path():
    """Adam moves three equal-gradient angles alike, so their sum moves as one angle with three times the rate."""
    import optax

    triple = CircuitConfig(qubits=3, layers=2)
    tied = replace(triple, rotations="tied")
    with jax.enable_x64(True):
        z, angles = jax.tree.map(jnp.asarray, draw_arguments(triple))
        start = {"rzz": angles.rzz, "rotations": (angles.ry, angles.rz)}
        sums = {"rzz": angles.rzz, "rotations": jax.tree.map(lambda a: a.sum(-1, keepdims=True), start["rotations"])}

        def train(circuit, parameters, rate):
            engine = build_engine("fused", circuit, 2, "float64")

            @jax.jit
            def gradient(parameters):
                ry, rz = parameters["rotations"]
                return jax.grad(lambda a: jnp.sum(engine(z, Angles(*a)) ** 2))((ry, parameters["rzz"], rz))

            adam = {"rzz": optax.adam(0.01), "rotations": optax.adam(rate)}
            states = {key: adam[key].init(parameters[key]) for key in adam}
            for _ in range(20):
                ry, rzz, rz = gradient(parameters)
                for key, part in (("rzz", rzz), ("rotations", (ry, rz))):
                    with jax.numpy_dtype_promotion("standard"):  # Optax multiplies counts with fractions
                        step, states[key] = adam[key].update(part, states[key])
                    parameters = {**parameters, key: optax.apply_updates(parameters[key], step)}
            return parameters

        one, three = train(tied, sums, 0.03), train(triple, start, 0.01)
        np.testing.assert_allclose(one["rzz"], three["rzz"], rtol=0, atol=1e-12)
        for a, b in zip(one["rotations"], three["rotations"], strict=True):
            np.testing.assert_allclose(a[..., 0], b.sum(-1), rtol=0, atol=1e-12)
        assert np.abs(one["rotations"][0] - sums["rotations"][0]).max() > 0.1


def test_auto_takes_a_measured_engine(caplog):
    circuit = CircuitConfig(qubits=3, layers=1)
    with caplog.at_level(logging.INFO, logger="student_jax.engines.choose"):
        name = choose_engine(circuit, 2, "float32", batch=4)
    assert name in {"fused", "native", "default.qubit"}  # lightning pays a Python call per sample
    assert f"engine auto: {name}, the fastest" in caplog.text
    assert "fused" in caplog.text
    assert "lightning.qubit" in caplog.text


def test_auto_takes_what_simulates_every_circuit_of_a_grid():
    grid = {"circuit.ansatz": ["layers", "reupload"]}
    config = StudentConfig(engine="auto", circuit=CircuitConfig(qubits=3, layers=1), grid=grid)
    assert resolve_engine(config, 2).engine in {"default.qubit", "lightning.qubit"}
    with pytest.raises(ValueError, match="engine"):
        StudentConfig(grid={"engine": ["fused", "native"]})


def test_auto_leaves_out_what_gives_no_number(monkeypatch, caplog):
    build = choose.build_engine

    def build_one(name, *arguments):
        engine = build(name, *arguments)
        return (lambda z, angles: engine(z, angles) * jnp.nan) if name == "default.qubit" else engine

    monkeypatch.setattr(choose, "build_engine", build_one)
    choose_engine(CircuitConfig(qubits=3, layers=1), 2, "float32", batch=4)
    assert "default.qubit left out: differs from fused by nan" in caplog.text


def test_a_missing_engine_says_how_to_install_it():
    if "lightning.gpu" in {device.name for device in _entry_points()}:
        pytest.skip("lightning.gpu is installed")
    with pytest.raises(UserError, match=r"engine lightning.gpu must be installed.*pip install 'qdllm\[gpu\]'"):
        build_engine("lightning.gpu", CircuitConfig(qubits=2), 2, "float32")


def _entry_points():
    from importlib.metadata import entry_points

    return entry_points(group="pennylane.plugins")


def test_missing_cuda_libraries_are_named(monkeypatch):
    """lightning.gpu without CUDA's libraries claims that its binaries are not available."""

    def fail(*arguments, **options):
        raise ImportError("Pre-compiled binaries for lightning.gpu are not available. To manually compile ...")

    monkeypatch.setattr(qml, "device", fail)
    with pytest.raises(UserError, match=r"CUDA 12 libraries not found; run pip install 'qdllm\[gpu\]'"):
        build_engine("lightning.gpu", CircuitConfig(qubits=2), 2, "float32")


@pytest.mark.parametrize(
    ("z", "field", "message"),
    [((3, 4), None, r"z must have shape \(batch, 3\), got \(3, 4\)"), ((3, 3), "rzz", r"angles.rzz must have shape")],
)
@pytest.mark.parametrize("name", FAST)
def test_wrong_shapes_are_refused(name, z, field, message):
    circuit = CircuitConfig(qubits=3, layers=1)
    angles = Angles(*map(jnp.zeros, angle_shapes(circuit).values()))
    if field:
        angles = angles._replace(**{field: jnp.zeros((1, 1))})
    with pytest.raises(ValueError, match=message):
        build_engine(name, circuit, 2, "float32")(jnp.zeros(z), angles)


def test_refusals_name_rule_and_value():
    with pytest.raises(UserError, match=r"engine must be auto or one of fused.*got fast"):
        build_engine("fast", CircuitConfig(), 2, "float32")
    with pytest.raises(UserError, match="got 3 qubits for 4 classes"):
        build_engine("fused", CircuitConfig(qubits=3, readout="first"), 4, "float32")
    with pytest.raises(UserError, match="float64 needs JAX's 64-bit mode"):
        build_engine("fused", CircuitConfig(qubits=3), 2, "float64")
