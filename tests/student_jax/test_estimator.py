"""The student as a classifier of scikit-learn: its checks and tools, what is learned from whom, the saved folder."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
import sklearn
from click.testing import CliRunner
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from pipeline.commands.predict import predict
from student_jax import estimator
from student_jax.data.embedder import EmbedConfig
from student_jax.estimator import QuantumStudentClassifier
from student_jax.student import Student

SMALL = {"qubits": 2, "layers": 1, "batch_size": 16, "min_steps": 64, "learning_rate": 0.1}
TEXTS = [f"{mood} {thing} {k}" for k, (mood, thing) in enumerate([("good", "film"), ("bad", "film")] * 30)]
MOODS = ["fine", "poor"] * 30


@pytest.fixture(scope="module")
def clouds():
    """Two clouds of three features, rows mixed: X, and the classes 0 and 1."""
    generator = np.random.default_rng(0)
    y = generator.permutation(np.repeat([0, 1], 60))
    return generator.normal(size=(120, 3)) + 3 * y[:, None], y


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def turn(y):
    """Probabilities of a teacher who says the opposite of y."""
    return np.eye(2)[1 - y]


@pytest.mark.filterwarnings("ignore:.* encountered in cast:RuntimeWarning")  # where it looks for infinity
def test_it_passes_scikit_learns_own_checks():
    """All of them, but for one that asks for an environment variable, and where it is not there one of pandas."""
    results = check_estimator(QuantumStudentClassifier(qubits=2, layers=1), on_skip=None)
    skipped = {one["check_name"] for one in results if one["status"] != "passed"}
    assert skipped <= {"check_array_api_input", "check_classifier_data_not_an_array"}
    assert len(results) > 50


def test_a_saved_folder_answers_as_the_classifier(clouds, tmp_path):
    X, y = clouds
    y = np.where(np.arange(120) < 12, 1 - y, y)  # an error in ten, so that there is a temperature to fit
    fitted = QuantumStudentClassifier(**SMALL, validation_fraction=0.45).fit(X, y)
    fitted.save(tmp_path / "student")
    assert (tmp_path / "student" / "surrogate.json").exists()
    found = Student.load(tmp_path / "student").predict_features(X)
    assert fitted.calibration_.temperature != 1  # of 54 rows
    np.testing.assert_allclose(found.probabilities, fitted.predict_proba(X), atol=1e-5)
    assert found.labels == fitted.predict(X).astype(str).tolist()
    assert fitted.score(X, y) > 0.85
    fitted.save(tmp_path / "student")  # again, over itself
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="must be empty, new, or hold a student"):
        fitted.save(tmp_path / "other")


def test_texts_and_the_command_that_reads_them(tmp_path):
    fitted = QuantumStudentClassifier(**SMALL, dimensions=6).fit(TEXTS, MOODS)
    asked = ["a good one", "bad film"]
    assert fitted.predict(asked).tolist() == fitted.predict(np.array(asked)).tolist() == ["fine", "poor"]
    assert not hasattr(fitted, "n_features_in_")
    fitted.save(tmp_path / "student")
    said = CliRunner().invoke(predict, ["--student", str(tmp_path / "student"), *asked])
    answers = [json.loads(line) for line in said.output.splitlines()]
    assert [answer["label"] for answer in answers] == ["fine", "poor"]
    rows = [[answer["probabilities"][name] for name in fitted.classes_] for answer in answers]
    np.testing.assert_allclose(rows, fitted.predict_proba(asked), atol=1e-5)


def test_texts_that_stand_class_by_class_are_fitted_on_all_classes(monkeypatch):
    """Of more texts than features are fitted on."""
    check = estimator._check
    monkeypatch.setattr(estimator, "_check", lambda kind, values: replace(check(kind, values), fit_texts=40)
                        if kind is EmbedConfig else check(kind, values))  # fmt: skip
    texts, classes = [f"{word} {n % 7}" for word in ("good", "poor") for n in range(60)], [0] * 60 + [1] * 60
    model = QuantumStudentClassifier(qubits=2, layers=1, epochs=1, min_steps=1, dimensions=4).fit(texts, classes)
    assert {"good", "poor"} <= set(model.embedder_.embedding.vocabularies["words"].terms)


def test_a_search_over_a_pipeline_of_texts():
    search = GridSearchCV(
        make_pipeline(QuantumStudentClassifier(**SMALL, dimensions=6)),
        {
            "quantumstudentclassifier__l2": np.logspace(-2, 2, 2),
            "quantumstudentclassifier__batch_size": np.array([16]),
        },
        cv=2,
    ).fit(TEXTS, MOODS)
    assert search.best_params_["quantumstudentclassifier__l2"] == 0.01
    assert search.best_score_ > 0.9


def test_probabilities_are_routed_and_cut_with_their_rows(clouds, routing):
    """A teacher who says the opposite of every label, and alone has a say, makes every answer wrong."""
    X, y = clouds
    taught = QuantumStudentClassifier(**SMALL, soft=1.0, hard=0.0).set_fit_request(probabilities=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), taught), X, y, cv=3, params={"probabilities": turn(y)})
    assert scores.max() < 0.1
    search = GridSearchCV(taught, {"l2": [0.01]}, cv=2).fit(X, y, probabilities=turn(y))
    assert search.best_score_ < 0.1


def test_the_pool_is_learned_from_its_probabilities(clouds):
    """Four labels; the others' rows are told apart by the teacher alone, and -1 is a class as any other."""
    X, y = clouds
    few = np.where(
        np.isin(np.arange(120), [*np.flatnonzero(y == 0)[:2], *np.flatnonzero(y == 1)[:2]]), 2.0 * y - 1, np.nan
    )
    fitted = QuantumStudentClassifier(**SMALL).fit(X, few, probabilities=np.eye(2)[y])
    assert fitted.classes_.tolist() == [-1, 1]
    assert fitted.score(X, 2 * y - 1) > 0.95
    against = QuantumStudentClassifier(**SMALL, soft=1.0, hard=0.0).fit(X, few, probabilities=turn(y))
    assert against.score(X, 2 * y - 1) < 0.05
    assert against.score(X, few) < 0.3  # of the four alone


def test_without_probabilities_the_pool_teaches_nothing(clouds):
    X, y = clouds
    few = y.astype(object)
    few[30:] = None
    with pytest.warns(UserWarning, match="90 rows without a label teach nothing without probabilities"):
        beside = QuantumStudentClassifier(**SMALL).fit(X, few.tolist())
    alone = QuantumStudentClassifier(**SMALL).fit(X[:30], y[:30])
    assert beside.classes_.dtype.kind == "i"
    jax.tree.map(np.testing.assert_array_equal, beside.training_.parameters, alone.training_.parameters)


def test_folds_with_a_pool(clouds):
    """As docs/sklearn.md shows it: the pool is in every training fold and in no other."""
    X, y = clouds
    few = np.where(np.arange(120) < 40, y, np.nan)
    labelled, pool = np.flatnonzero(few == few), np.flatnonzero(few != few)
    folds = [
        (np.concatenate([labelled[train], pool]), labelled[test])
        for train, test in StratifiedKFold(2).split(labelled, few[labelled])
    ]
    with sklearn.config_context(enable_metadata_routing=True):
        student = QuantumStudentClassifier(**SMALL).set_fit_request(probabilities=True)
        scores = cross_val_score(student, X, few, cv=folds, params={"probabilities": np.eye(2)[y]})
    assert scores.min() > 0.9


def test_the_same_seed_gives_the_same_student(clouds):
    X, y = clouds
    one, two = (QuantumStudentClassifier(**SMALL, random_state=3).fit(X, y) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one.training_.parameters, two.training_.parameters)
    other = clone(one).set_params(random_state=4).fit(X, y)
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


REFUSED = {
    "qubits": ({"qubits": 1}, {}, "qubits: Input should be greater than or equal to 2, got 1"),
    "loss": ({"soft": -1.0}, {}, "soft: Input should be greater than or equal to 0, got -1"),
    "fraction": ({"validation_fraction": 1.0}, {}, "validation_fraction must be >= 0 and < 1, got 1.0"),
    "first": ({"readout": "first"}, {"y": np.arange(120) % 3}, "first"),
    "one class": ({}, {"y": np.zeros(120)}, "at least two classes, got 1 class"),
    "no label": ({}, {"y": [None] * 120}, "at least one row with a label, got 120 rows without"),
    "mixed": ({}, {"y": ["a", 1] * 60}, "all text or all numbers"),
    "shape": (
        {},
        {"probabilities": np.ones((120, 3)) / 3},
        r"a column for each of 2 classes in y, got shape \(120, 3\)",
    ),
    "sum": ({}, {"probabilities": np.full((120, 2), 0.4)}, r"probabilities\[0\] must add up to 1, got 0.8"),
    "negative": ({}, {"probabilities": np.tile([-0.5, 1.5], (120, 1))}, "must be numbers from 0 to 1"),
    "unanswered": ({}, {"probabilities": np.full((120, 2), np.nan)}, "must be numbers from 0 to 1"),
    "one text": ({}, {"X": "good film"}, "X must be a list of texts, got one text"),
    "empty text": (
        {},
        {"X": [*TEXTS, ""], "y": [*MOODS, "poor"]},
        r"X\[60\]: text must not be empty.*leave the row out",
    ),
    "no terms": (
        {},
        {"X": ["b", "c"], "y": [0, 1]},
        "min_document_frequency must be small enough for 2 training texts",
    ),
    "same rows": ({}, {"X": np.ones((120, 3))}, "vectors must differ"),
}


@pytest.mark.parametrize(("parameters", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(clouds, parameters, arguments, message):
    given = {"X": clouds[0], "y": clouds[1]} | arguments
    with pytest.raises(ValueError, match=message):
        QuantumStudentClassifier(**(SMALL | parameters)).fit(**given)


def test_texts_and_features_are_not_mixed_up(clouds):
    fitted = QuantumStudentClassifier(**SMALL).fit(*clouds)
    with pytest.raises(ValueError, match="X must be features as it was in fit, got the other"):
        fitted.predict(TEXTS)
