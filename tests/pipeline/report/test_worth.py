"""What a teacher was worth, against values worked out by hand."""

from dataclasses import replace

import pytest

from pipeline.evaluation.metrics import Discordance
from pipeline.report.worth import measure_worth, sum_up_worth, tabulate_worth
from tests.pipeline.report.conftest import make_run

BOTH = ("labels_alone", "all_labels")


def run_of(teacher, first, second, p_value, comparators=BOTH):
    run = make_run(teacher=teacher, comparators=comparators)
    return replace(run, tests={name: Discordance(first, second, p_value) for name in comparators})


def test_every_number_is_of_the_seed_that_validation_chose():
    run = run_of("bloom", 120, 40, 1e-10)
    run = replace(run, summary=replace(run.summary, selected_seed=2))
    worth = measure_worth(run)
    assert worth.student == run.summary.seeds[2].test
    assert worth.labels_alone == run.comparisons["labels_alone"].seeds[0].test
    assert worth.all_labels == run.comparisons["all_labels"].seeds[0].test
    assert worth.teacher == run.summary.teacher_metrics.test
    assert worth.gain is not None
    assert worth.gain.mean == pytest.approx((120 - 40) / run.texts)
    assert worth.gain.low < worth.gain.mean < worth.gain.high


def test_the_rows_are_adjusted_together_and_summed_up():
    runs = [
        run_of("bloom", 120, 40, 0.001),
        run_of("opt", 40, 120, 0.002),
        run_of("llama", 50, 48, 0.03),
        run_of("gpt", 1, 2, 0.5, comparators=("linear",)),
    ]
    table = tabulate_worth(runs)
    assert [row["p_adjusted"] for row in table.records()] == [0.003, 0.004, 0.03, None]
    assert table.records()[3]["labels_alone"] is None
    assert [table.records()[0][name] for name in ("labelled", "pool", "tested")] == [300, 2000, runs[0].texts]
    assert sum_up_worth(table.only(teacher="gpt")).endswith("name labels_alone under comparators in params.yaml.")
    said = "Of 3 students 2 gained by learning from a teacher, 1 lost; of 0 the test shows no difference."
    assert sum_up_worth(table) == said
    summary = runs[1].summary
    few = replace(runs[1], summary=replace(summary, confusion=replace(summary.confusion, student=[[200, 0], [0, 200]])))
    told = sum_up_worth(tabulate_worth([runs[0], few, runs[2], runs[3]]))
    assert told == f"{said} {few.names['task']}, opt: of 400 test texts alone, others of {runs[0].texts:,}."
