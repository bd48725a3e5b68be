"""A grid is every combination of its values, checked as params.yaml is."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from student_jax.comparators.comparator_config import LogisticConfig, TextConfig
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.tunable import Setting, Tuning, list_points, set_values


def test_points_are_all_combinations():
    grid = {"l2": [0.0, 0.1], "circuit": {"layers": [2, 4], "rotations": ["tied"]}}
    assert list_points(grid) == [
        {"l2": l2, "circuit.layers": layers, "circuit.rotations": "tied"} for l2 in (0.0, 0.1) for layers in (2, 4)
    ]
    assert list_points({}) == [{}]


def test_values_are_set_and_the_grid_goes():
    config = StudentConfig(grid={"l2": [0.0, 1]})
    expected = replace(config, grid={}, l2=1.0, circuit=CircuitConfig(layers=2))
    assert set_values(config, {"l2": 1, "circuit.layers": 2}) == expected


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"l2": 0.1}, r"grid\.l2: must be a list of values"),
        ({"l2": []}, r"grid\.l2: must be a list of values"),
        ({"l2": [0.0, -1]}, r"grid\.l2: Input should be greater than or equal to 0, got -1"),
        ({"l3": [1.0]}, r"grid\.l3: a grid must name keys of its block"),
        (
            {"loss": {"soft": [0.5, 0.9]}},
            r"grid\.loss\.soft: a grid must name keys .* none of \['engine', 'grid', 'loss', 'seeds'\]",
        ),
        ({"seeds": [5]}, r"grid\.seeds: "),
        ({"l2": [0.1, 0.2]}, "grid: the values of its keys must have the block's own among them"),
    ],
)
def test_what_is_no_grid_is_refused(grid, message):
    with pytest.raises(ValidationError, match=message):
        StudentConfig(grid=grid)


def test_what_the_data_are_made_with_is_the_same_for_all_settings():
    with pytest.raises(ValidationError, match=r"grid\.max_length: "):
        TextConfig(grid={"max_length": [None, 64]})
    assert LogisticConfig(grid={"C": [1.0, 10.0]}).grid == {"C": [1.0, 10.0]}


def test_the_chosen_setting_is_one_of_the_tried():
    setting = Setting(values={}, validation_loss=None, validation_accuracy=None)
    with pytest.raises(ValidationError, match="chosen must be below 1, got 1"):
        Tuning(settings=[setting], chosen=1)
    assert Tuning(settings=[setting, setting], chosen=1).chosen == 1


def test_a_choice_at_the_end_of_a_grid_is_named():
    """Of two values, of lists, and beside null none is an end."""
    points = list_points({"l2": [0.1, 0.4, 0.2], "circuit": {"layers": [2, 4]}, "pool": [9, None, 1], "x": [[3]]})
    settings = [Setting(values=point, validation_loss=1.0, validation_accuracy=0.5) for point in points]
    assert Tuning(settings=settings, chosen=0).list_edges() == ["l2"]
    assert Tuning(settings=settings, chosen=len(settings) // 2).list_edges() == ["l2"]
    assert Tuning(settings=settings, chosen=len(settings) - 1).list_edges() == []
    untuned = Setting(values={}, validation_loss=None, validation_accuracy=None)
    assert Tuning(settings=[untuned], chosen=0).list_edges() == []
