"""The grid of a sweep: every point once, checked as params.yaml is, written as DVC reads it."""

from pathlib import Path

import pytest

from pipeline.commands.grid import choose_points, parse_axes, set_point, write_command
from pipeline.params import read_yaml
from student_jax.config import StudentConfig
from teacher_cache.errors import UserError

SHIPPED = read_yaml(Path(__file__).parents[3] / "params.yaml")["student"]
STUDENT = {key: value for key, value in SHIPPED.items() if key != "grid"}
AXES = {"student.learning_rate": ["1.0e-3", "3.0e-3"], "student.circuit.layers": ["1", "2", "4"]}


def test_every_point_once_the_last_key_first():
    axes = parse_axes(["student.learning_rate=1.0e-3,3.0e-3", "student.circuit.layers=1,2,4"])
    assert axes == AXES
    points = choose_points(axes, None, 0)
    assert [tuple(point.values()) for point in points[:4]] == [
        *(("1.0e-3", layers) for layers in "124"),
        ("3.0e-3", "1"),
    ]
    assert len({tuple(point.values()) for point in points}) == 6
    assert choose_points({}, None, 0) == [{}]


def test_a_draw_is_of_different_points_and_repeatable():
    everything = choose_points(AXES, None, 0)
    drawn = choose_points(AXES, 4, 1)
    assert len(drawn) == 4
    assert [point for point in everything if point in drawn] == drawn
    assert drawn == choose_points(AXES, 4, 1)
    assert any(choose_points(AXES, 4, seed) != drawn for seed in range(5))


def test_a_point_is_the_students_block_with_its_values():
    point = {"student.learning_rate": "1e-3", "student.circuit.readout": "first", "student.clip_norm": "1"}
    config = set_point(STUDENT, {**point, "student.patience": "null"})
    assert (config.learning_rate, config.circuit.readout, config.clip_norm, config.patience) == (
        0.001,
        "first",
        1,
        None,
    )
    assert config.circuit.qubits == 11
    assert STUDENT["circuit"]["readout"] == "linear"
    assert set_point({}, {}) == StudentConfig()
    command = write_command({**STUDENT, "pool": None}, {"student.pool": "10"})
    assert command == "dvc exp run -S student.pool=10"  # null is a value, not a gap
    command = write_command(STUDENT, point)
    assert (
        command == "dvc exp run -S student.learning_rate=1e-3 -S student.circuit.readout=first -S +student.clip_norm=1"
    )


def test_the_line_to_type_takes_a_grid_away():
    """Where it would have other settings tried, or forbid the value."""
    student = {**STUDENT, "grid": {"l2": [0.0, 0.1]}}
    assert set_point(student, {}).grid == {}
    assert write_command(student, {"student.l2": "1"}) == "dvc exp run -S '~student.grid' -S student.l2=1"
    one = {**STUDENT, "grid": {"l2": [0.0]}}
    assert write_command(one, {}) == "dvc exp run"
    assert write_command(one, {"student.l2": "1"}) == "dvc exp run -S '~student.grid' -S student.l2=1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate=1", "--set must be student.KEY=VALUE,VALUE,... without spaces, got learning_rate=1"),
        ("student.epochs", "--set must be student.KEY=VALUE,VALUE,... without spaces, got student.epochs"),
        ("student.epochs=1,,2", "--set must be .*, got student.epochs=1,,2"),
        ("student.epochs=1,1", "--set must name each key and value once, got student.epochs=1,1"),
    ],
)
def test_what_is_no_axis_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        parse_axes([text])


def test_a_key_twice_and_too_many_are_refused():
    with pytest.raises(UserError, match=r"--set must name each key and value once, got student\.epochs=3"):
        parse_axes(["student.epochs=1", "student.epochs=3"])
    with pytest.raises(UserError, match="--random must be at most the 6 settings of the grid, got 7"):
        choose_points(AXES, 7, 0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("student.learning_rate", "-1", "--set: student.learning_rate: must be greater than 0, got -1"),
        ("student.learningrate", "1", "--set: student.learningrate: unknown key, got 1"),
        ("student.circuit.qubits", "two", '--set: student.circuit.qubits: must be a valid integer, got "two"'),
        ("student.epochs.most", "3", "--set: student.epochs.most: unknown key, epochs has no others below it"),
        ("student.engine", "[fused", r"--set: student.engine: must be a YAML value, got \[fused"),
    ],
)
def test_wrong_keys_and_values_are_params_own_errors(key, value, message):
    with pytest.raises(UserError, match=message):
        set_point(STUDENT, {key: value})
