"""Version 0.1's params by today's names, the user's numbers and comments kept."""

from io import StringIO
from textwrap import dedent

from pipeline.commands.profile import make_yaml
from pipeline.legacy.old_params import carry_params


def carry(text):
    content = make_yaml().load(dedent(text))
    lines = carry_params(content)
    out = StringIO()
    make_yaml().dump(content, out)
    return out.getvalue(), lines


def test_what_the_student_is_measured_against_has_one_word():
    text, lines = carry("""\
        tasks: [emotion-tiny]
        # Rivals.
        baselines: [lsfls, textrcnn, hitin]
        student:
          engine: fused
          circuit: {qubits: 3}
          loss: {soft: 1.0}
          learning_rate: 5.0e-3 # slow

        # Controls.
        evaluate:
          controls: [linear, mlp] # no others
          losses: [kl]

        # Rivals' numbers.
        baseline:
          shared: {epochs: 1}
          # Two of them.
          lsfls: {labelled: 8}
          hitin: {}
          textrcnn: {learning_rate: 2.0e-3} # fast
        """)
    assert text == dedent("""\
        tasks: [emotion-tiny]
        # Rivals.
        text_comparators: [few_labels, textrcnn]
        profile: smoke
        student:
          engine: fused
          circuit: {qubits: 3}
          loss: {soft: 1.0}
          learning_rate: 5.0e-3 # slow

        # Controls.
        comparators: [linear, mlp, kl] # no others

        # Rivals' numbers.
        comparator:
          shared:
            features: {loss: {soft: 1.0}, learning_rate: 5.0e-3}
            texts: {epochs: 1}
          # Two of them.
          few_labels: {labelled: 8}
          textrcnn: {learning_rate: 2.0e-3} # fast
          linear: {}
          mlp: {}
          kl: {}
        """)
    assert lines == [
        "baselines -> text_comparators: [few_labels, textrcnn]",
        "evaluate.controls and evaluate.losses -> comparators: [linear, mlp, kl]",
        "baseline.lsfls -> comparator.few_labels",
        "hitin left out: it never read a hierarchy of labels",
        "profile: smoke, by the tasks",
        "baseline -> comparator; baseline.shared -> comparator.shared.texts",
        "student's loss, learning_rate -> comparator.shared.features too, as controls had them",
    ]


def test_what_was_not_written_had_its_defaults():
    """Version 0.1 measured against all four controls where `evaluate` was not there."""
    text, _ = carry("""\
        tasks: [mine]
        baselines: []
        student: {engine: default.qubit}
        """)
    assert text == dedent("""\
        tasks: [mine]
        text_comparators: []
        profile: default
        student: {engine: default.qubit}
        comparators: [linear, mlp, no_entanglement, frozen_circuit]
        comparator:
          shared:
            features: {engine: default.qubit}
            texts: {}
          linear: {}
          mlp: {}
          no_entanglement: {}
          frozen_circuit: {}
        """)


def test_comments_within_a_list_stand_behind_it():
    text, _ = carry("""\
        evaluate: # what for
          # the first
          controls:
            - linear # quick
            - mlp

        # Section
        baselines: []
        tasks: [mine]
        """)
    assert text.startswith("comparators: [linear, mlp] # what for; # quick\n")
    assert "  # the first\n" in text
    assert "\n# Section\ntext_comparators: []\n" in text
