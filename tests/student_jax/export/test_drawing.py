import xml.etree.ElementTree as ElementTree

import pytest

from student_jax.config import CircuitConfig
from student_jax.export.drawing import DEAD, LIVE, draw_circuit, render_text
from teacher_cache.errors import UserError


def test_text_shows_every_gate_in_its_place():
    """By hand: a Z measured after one layer sees neither RZZ nor RZ."""
    assert render_text(CircuitConfig(qubits=3, layers=1), 2).splitlines()[:3] == [
        "q0 ─RX─RY─□───rz─●───M─",
        "q1 ─RX─RY─□─□─rz─⊕─●─M─",
        "q2 ─RX─RY───□─rz───⊕─M─",
    ]


def test_text_marks_what_lies_outside_the_cone():
    """By hand, C = 2, p = 2, n = 6: four qubits reach the readout, three of them have X before the last layer."""
    lines = render_text(CircuitConfig(qubits=6, layers=2, readout="first"), 2).splitlines()
    assert [line[4:9] for line in lines[:6]] == ["RX─RY"] * 4 + ["rx─ry"] * 2
    assert ["RZ" in line for line in lines[:6]] == [True] * 3 + [False] * 3
    assert [line.endswith("M─") for line in lines[:6]] == [True] * 2 + [False] * 4


def test_text_is_cut_into_blocks_that_fit():
    """Nothing is lost: put side by side again, the blocks are the uncut drawing."""
    circuit = CircuitConfig(qubits=3, layers=2, entanglement="ring")
    *blocks, legend = render_text(circuit, 2, width=24).split("\n\n")
    assert len(blocks) > 1
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 24
    assert max(map(len, legend.splitlines())) <= 24
    rows = zip(*(block.splitlines() for block in blocks), strict=True)
    joined = [first + "".join(line[3:] for line in others) for first, *others in rows]
    assert joined == render_text(circuit, 2).splitlines()[:3]


def test_re_uploading_repeats_the_encoding():
    """By hand: nothing is dead before the last CNOTs, and the last layer's rotations do not commute with them."""
    assert render_text(CircuitConfig(qubits=2, layers=2, ansatz="reupload"), 2).splitlines()[:2] == [
        "q0 ─RX─RZ─RY─●─RX─RZ─RY─●─M─",
        "q1 ─RX─RZ─RY─⊕─RX─RZ─RY─⊕─M─",
    ]


def test_a_ring_crosses_the_wires_between():
    lines = render_text(CircuitConfig(qubits=3, layers=1, entanglement="ring"), 2).splitlines()
    assert lines[1].count("┼") == 2  # its RZZ and its CX


@pytest.mark.parametrize("ending", ["svg", "png", "txt"])
def test_a_drawing_has_the_same_bytes_again(tmp_path, ending):
    circuit = CircuitConfig(qubits=3, layers=2, readout="first")
    for name in ("one", "two"):
        draw_circuit(circuit, 2, tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"one.{ending}").read_bytes()
    assert content == (tmp_path / f"two.{ending}").read_bytes()
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "txt": b"q0"}[ending])


def test_picture_has_a_box_per_rotation(tmp_path):
    """n = 3, p = 1, linear: 3 RX and 3 RY act, 3 RZ do not, 3 are measured."""
    path = tmp_path / "circuit.svg"
    draw_circuit(CircuitConfig(qubits=3, layers=1), 2, path)
    texts = [element.text for element in ElementTree.parse(path).iter() if element.tag.endswith("}text")]
    assert [texts.count(kind) for kind in ("RX", "RY³", "RZ³", "M")] == [3, 3, 3, 3]
    assert LIVE in path.read_text()
    assert DEAD in path.read_text()


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"must end in \.svg, \.png or \.txt, got circuit\.pdf"):
        draw_circuit(CircuitConfig(qubits=2), 2, tmp_path / "circuit.pdf")
    assert not list(tmp_path.iterdir())
