"""A trained student as OpenQASM, by the command."""

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")


def test_a_program_without_a_text_has_an_input_per_qubit(project):
    program = project.run("qdllm", "export", *STUDENT)
    assert [f"input float[64] z{qubit};" in program for qubit in range(12)] == [True] * 11 + [False]
    assert "OPENQASM 3.0;" in program


def test_a_texts_program_goes_into_a_file(project, tmp_path):
    path = tmp_path / "programs" / "joy.qasm"
    assert (
        project.run("qdllm", "export", *STUDENT, "--format", "2", "--text", "a joy", "--out", str(path)) == f"{path}\n"
    )
    program = path.read_text()
    assert "OPENQASM 2.0;" in program
    assert program.count("measure") == program.count("rx(") == 11


def test_version_2_needs_a_text(project):
    assert "--text must be given for OpenQASM 2" in project.refuse("qdllm", "export", *STUDENT, "--format", "2")
