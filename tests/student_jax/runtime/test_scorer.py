"""NumPy's scores against those of JAX, by polynomial and by simulation, and the certificate of the shorter form."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from student_jax.circuit.surrogate import build_coefficients
from student_jax.circuit.terms import Terms, fill_coefficients, score_angles, sort_terms
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data.embedder import fit_embedder
from student_jax.model import build_model, build_scorer
from student_jax.parameters import arrange_parameters, initialise_parameters, name_parameters
from student_jax.runtime import polynomial as polynomial_module
from student_jax.runtime.amplitudes import Simulation
from student_jax.runtime.folded_terms import FoldedTerms
from student_jax.runtime.polynomial import Polynomial
from student_jax.runtime.scorer import LightScorer, is_light
from teacher_cache.errors import UserError

TEXTS = [f"a {mood} {thing} {k}" for k, (mood, thing) in enumerate([("good", "film"), ("bad", "song")] * 20)]
ASKED = [*TEXTS[:5], "", "ξψω", "good good good"]
EMBEDDER = fit_embedder(EmbedConfig(dimensions=6), TEXTS, [0, 1] * 20)
CLASSES = 3
CIRCUITS = [
    CircuitConfig(qubits=4, layers=3),
    CircuitConfig(qubits=5, layers=2, entanglement="ring", rotations="tied"),
    CircuitConfig(qubits=4, layers=2, readout="first"),
    CircuitConfig(qubits=3, layers=3, entanglement="ring", readout="first"),
    CircuitConfig(qubits=4, layers=2, ansatz="reupload"),
]


def make_student(circuit, precision):
    """A student with angles of any size, and its scores of ASKED by JAX."""
    engine = "fused" if circuit.ansatz == "layers" else "default.qubit"
    config = StudentConfig(circuit=circuit, engine=engine, precision=precision, encoding_scale=1.0, angle_scale=3.0)
    parameters = initialise_parameters(config, EMBEDDER.dimensions, CLASSES, np.random.default_rng(1))
    stacked = arrange_parameters(config, {name: array[None] for name, array in name_parameters(parameters).items()})
    score = build_scorer(build_model(config, EMBEDDER.dimensions, CLASSES), precision)
    return config, parameters, score(stacked, EMBEDDER.transform(ASKED))[0]


def find_terms(config, parameters):
    return sort_terms(build_coefficients(config.circuit, CLASSES, parameters.angles, parameters.readout))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("circuit", CIRCUITS, ids=["chain", "ring", "first", "ring-first", "reupload"])
def test_scores_are_those_of_jax(circuit, precision):
    config, parameters, expected = make_student(circuit, precision)
    forms = [None]
    if circuit.ansatz == "layers":
        forms.append(Polynomial.from_terms(find_terms(config, parameters), precision))
    for form in forms:
        scorer = LightScorer(config, CLASSES, parameters, EMBEDDER, form)
        for found in (scorer.score_texts(ASKED), scorer.score_features(EMBEDDER.transform(ASKED))):
            assert found.dtype == np.dtype(precision)
            np.testing.assert_allclose(found, expected, atol=1e-5 if precision == "float32" else 1e-6)


def test_features_in_float64_are_exact_to_rounding():
    config, parameters, expected = make_student(CIRCUITS[0], "float64")
    features = EMBEDDER.transform(ASKED)
    for form in (None, Polynomial.from_terms(find_terms(config, parameters), "float64")):
        found = LightScorer(config, CLASSES, parameters, EMBEDDER, form).score_features(features)
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("least", [1, 8])
def test_neither_blocks_nor_threads_show(monkeypatch, least):
    """As many texts as three blocks and a part of one, of both forms, by three threads and by one."""
    config, parameters, _ = make_student(CIRCUITS[0], "float64")
    z = np.random.default_rng(0).normal(size=(23, 4))
    terms = find_terms(config, parameters)
    expected = Polynomial.from_terms(terms, "float64").score(z)
    np.testing.assert_allclose(expected, score_angles(fill_coefficients(terms), z), atol=1e-13)
    monkeypatch.setattr(polynomial_module, "BLOCK_TEXTS", 7)
    monkeypatch.setattr(polynomial_module, "BLOCKS_PER_THREAD", least)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    monkeypatch.setattr("student_jax.runtime.amplitudes.BLOCK_AMPLITUDES_LOG2", 6)
    np.testing.assert_allclose(Polynomial.from_terms(terms, "float64").score(z), expected, atol=1e-13)
    measured = Simulation(config.circuit, CLASSES, parameters.angles, "float64").measure(z)
    weight, bias = parameters.readout
    np.testing.assert_allclose(measured @ weight + bias, expected, atol=1e-12)


@pytest.mark.parametrize("error", [1.0, 0.3, 0.01, 1e-4])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_no_text_breaks_the_error_that_is_named(error, temperature):
    config, parameters, _ = make_student(CIRCUITS[1], "float64")
    terms = find_terms(config, parameters)
    exact, short = (
        Polynomial.from_terms(terms, "float64"),
        Polynomial.within_error(terms, "float64", error, temperature),
    )
    random = np.random.default_rng(0)
    z = random.normal(size=(20_000, 5)) * random.choice([0.1, 1, 10], (20_000, 1))
    found, wanted = (softmax(one.score(z) / temperature, axis=1) for one in (short, exact))
    assert np.abs(found - wanted).max() <= error
    assert short.matrices[0].size <= exact.matrices[0].size


def test_what_one_direction_gives_needs_one_direction():
    """By hand: A_c = u_c v^T to a millionth; all classes share v, and two of u span theirs."""
    random = np.random.default_rng(0)
    left, right = random.normal(size=(3, 9)), random.normal(size=27)
    left[2] = left[0] - left[1]
    coefficients = (left[:, :, None] * right).reshape(3, *(3,) * 5)
    short = Polynomial.within_error(sort_terms(coefficients), "float32", 1e-3, 1.0)
    assert short.matrices.shape == (3, 2, 1)
    z = random.normal(size=(9, 5))
    found = short.score(z.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, score_angles(coefficients, z), atol=1e-3)


def test_an_error_that_is_not_certified_is_refused():
    terms = sort_terms(np.ones((2, 3, 3)))
    stored = Terms(2, terms.positions, terms.coefficients, np.array([4e-3, 4e-3]))
    with pytest.raises(
        UserError, match=r"error must be above 0.002, what is certified of all that is stored, and at most 1, got 0.001"
    ):
        Polynomial.within_error(stored, "float32", 0.001, 1.0)
    with pytest.raises(UserError, match=r"and at most 1, got 1\.5"):
        Polynomial.within_error(stored, "float32", 1.5, 1.0)
    assert Polynomial.within_error(stored, "float32", 0.003, 1.0).matrices.any()


def test_folded_terms_are_features_times_weights():
    weight = np.random.default_rng(0).normal(size=(EMBEDDER.dimensions, 3)).astype(np.float32)
    folded = FoldedTerms(EMBEDDER.embedding, weight)
    for texts in (ASKED, ASKED[::-1], [""], TEXTS):
        np.testing.assert_allclose(folded.encode(texts), EMBEDDER.transform(texts) @ weight, atol=1e-5)


def test_wide_and_own_circuits_are_not_simulated_here():
    assert is_light(CircuitConfig(qubits=20))
    assert not is_light(CircuitConfig(qubits=21))
    own = replace(CircuitConfig(), file="own.py", arrays={"theta": [2]}, outputs=1)
    assert not is_light(own)
