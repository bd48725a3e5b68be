"""The teacher's parts of the run on a GPU, in sizes for a CPU. Run by `make gpu-small`, for they take a minute."""

import pytest

from tests.gpu.test_gpu import rows_of, run_parts


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run_parts(tmp_path_factory.mktemp("gpu"), "llms", "resume")


def test_a_teacher_is_tuned_and_captured_alike_by_all_ways(report):
    rows = rows_of(report, "llms")
    assert not [row for row in rows.values() if "failed" in row]
    assert rows["llama3-8b: fine-tuning, 8 texts at once"]["tokens_per_second"] > 0
    ways = [row for row in rows.values() if "rows_per_second" in row]
    assert len(ways) == 3
    assert max(row["largest_difference"] for row in ways) < 0.05


def test_killed_capture_goes_on_to_the_same_bytes(report):
    rows = rows_of(report, "resume")
    assert not rows["killed"]["published"]
    assert rows["killed"]["parts_there"] < rows["resumed"]["parts"]
    assert rows["resumed"]["same_bytes"]
    assert rows["spot check"]["rows"] > 0
