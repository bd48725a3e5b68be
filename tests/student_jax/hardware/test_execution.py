"""Nothing is sent twice and nothing is lost, whatever ends the process that sent it."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from student_jax.hardware.budget import digest_budget, find_refusal, list_changes
from student_jax.hardware.device_run import prepare_run, score_values
from student_jax.hardware.execution import read_values, run_batches
from student_jax.hardware.run_folder import JobRecord, RunFolder
from teacher_cache.errors import UserError
from tests.student_jax.hardware.stored_service import StoredSampler, StoredService

SHOTS, CALIBRATIONS = 300, 2


@pytest.fixture
def service(tmp_path):
    (tmp_path / "service").mkdir()
    return StoredService(tmp_path / "service")


@pytest.fixture
def run(student, texts, service):
    """Five texts on IBM's `manila`, prepared and not sent."""
    run = prepare_run(student, "ibm:manila", *texts, SHOTS, CALIBRATIONS, open_service=lambda: service)
    return run._replace(device=replace(run.device, sampler=partial(StoredSampler, service)))


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


def execute(run, folder):
    said = []
    run_batches(run.device, run.batches, 3, folder, run.digest, said.append)
    return said, read_values(run.batches, run.sent.parities, folder, run.digest)


def test_a_run_is_one_job_and_is_read_from_its_folder_ever_after(run, folder, service, student):
    assert run.budget["circuits"] == 5 + 2 * CALIBRATIONS
    assert run.budget["shots"] == 9 * SHOTS
    said, values = execute(run, folder)
    assert said == ["job 1: job0 sent, 5 texts", "job 1 of 1: 5 texts kept"]
    assert execute(run, folder)[0] == []
    assert service.count() == 1
    assert len(list((folder.path / "parts").iterdir())) == 5 + 2
    # 5 standard deviations of 300 shots, and the snapshot's errors.
    np.testing.assert_allclose(values.measured, run.exact, atol=0.45)
    assert np.abs(values.mitigated - run.exact).mean() < np.abs(values.measured - run.exact).mean() + 0.02
    assert score_values(student, values.measured).shape == (5, 2)


CHILD = """
import sys, time
from dataclasses import replace
from functools import partial
from pathlib import Path
import numpy as np
from student_jax.hardware.device_run import prepare_run
from student_jax.hardware.execution import run_batches
from student_jax.hardware.run_folder import RunFolder
from tests.student_jax.hardware.stored_service import StoredSampler, StoredService, draw_student

def say(line):
    print(line, flush=True)
    time.sleep(600)

service = StoredService(Path(sys.argv[1]))
texts = np.random.default_rng(1).normal(size=(5, 4)), np.array([bytes([k]) * 16 for k in range(5)], "V16")
run = prepare_run(draw_student(), "ibm:manila", *texts, 300, 2, open_service=lambda: service)
device = replace(run.device, sampler=partial(StoredSampler, service))
run_batches(device, run.batches, 3, RunFolder(Path(sys.argv[2])), run.digest, say)
"""


def test_a_job_of_a_killed_process_is_fetched_and_not_sent_again(run, folder, service):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(service.folder), str(folder.path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as child:
        line = child.stdout.readline()
        child.kill()
    assert line == "job 1: job0 sent, 5 texts\n"
    said, _ = execute(run, folder)
    assert said == ["job 1: job0 was sent before; fetching it", "job 1 of 1: 5 texts kept"]
    assert service.count() == 1


def test_a_job_whose_id_was_never_heard_is_found_by_its_tag(run, folder, service):
    """The sender ends after the job went out and before the answer came in."""

    class Deaf(StoredSampler):
        def run(self, pubs, shots):
            super().run(pubs, shots)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(run._replace(device=replace(run.device, sampler=partial(Deaf, service))), folder)
    assert folder.read_job(0, run.digest) == JobRecord(0, None)
    assert execute(run, folder)[0][0] == "job 1: job0 was sent before; fetching it"
    assert service.count() == 1


def test_a_failed_job_is_said_and_sent_anew_by_the_next_run(run, folder, service):
    job = service.send(service.backend("manila"), [], 1, [f"qdllm-{run.digest}-0-0"])
    job.path.write_text(json.dumps({"status": "ERROR", "tags": [f"qdllm-{run.digest}-0-0"]}))
    folder.write_job(0, run.digest, JobRecord(0, "job0"))
    with pytest.raises(UserError, match="job job0 ended as ERROR: the fridge is warm; it gave no counts"):
        execute(run, folder)
    assert execute(run, folder)[0][0] == "job 1: job1 sent, 5 texts"


def test_parts_that_are_there_are_not_asked_for_again(student, texts, tmp_path):
    """A simulated device in jobs of two texts, one of which is interrupted: the others' counts stay as they are."""
    run = prepare_run(student, "aer", *texts, 50, 0)
    cut = [run.batches[0]._replace(z=run.batches[0].z[start : start + 2], seed=start) for start in (0, 2, 4)]
    run = run._replace(batches=cut)
    folder = RunFolder(tmp_path)
    execute(run, folder)
    before = {path.name: path.read_bytes() for path in (tmp_path / "parts").iterdir()}
    (tmp_path / "parts" / "00003.json").unlink()
    said, values = execute(run, folder)
    assert [line.split(":")[0] for line in said] == ["job 2", "job 2 of 3"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "parts").iterdir()} == before  # by the seed
    assert values.mitigated is None


def test_another_process_waits(folder):
    with folder.hold(), pytest.raises(UserError, match="must have one process at a time"), folder.hold():
        pass


def test_changes_of_a_budget_are_named(run):
    now = {**run.budget, "two_qubit_gates": 999}
    assert digest_budget(now) != run.digest
    assert list_changes(run.budget, now) == [f"two_qubit_gates {run.budget['two_qubit_gates']} -> 999"]


def test_what_was_sent_is_fetched_from_a_machine_that_was_calibrated_anew(run, folder, service):
    """It compiles to another layout now: the job that waits there is fetched, and no other is sent."""
    now = {**run.budget, "two_qubit_gates": 999}
    refusal = find_refusal(run.budget, now, sent=True)
    run_batches(run.device, run.batches, 3, folder, run.digest, lambda line: None)
    for part in (folder.path / "parts").iterdir():
        part.unlink()
    run_batches(run.device, run.batches, 3, folder, run.digest, lambda line: None, refusal)
    assert service.count() == 1
    with pytest.raises(UserError, match=r"got two_qubit_gates \d+ -> 999; what was sent is kept, and nothing more"):
        run_batches(run.device, run.batches, 3, RunFolder(folder.path / "other"), run.digest, print, refusal)
    with pytest.raises(UserError, match="-> 999; nothing was sent"):
        find_refusal(run.budget, now, sent=False)
    with pytest.raises(UserError, match="shots 2700 -> 1; nothing was sent"):
        find_refusal(run.budget, {**run.budget, "shots": 1}, sent=True)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("nowhere", "--backend must be aer, fake_fez, fake_torino, ibm:NAME or braket:ARN, got nowhere"),
        ("ibm:", "--backend must be"),
        ("ibm:other", r"ibm:other must be reachable with the account .+ got: no backend other$"),
        ("braket:arn:aws:braket:::device/x", "needs the package braket, which is not installed; run pip install"),
    ],
)
def test_backends_that_cannot_be_opened(student, texts, service, backend, message):
    with pytest.raises(UserError, match=message):
        prepare_run(student, backend, *texts, 10, 0, open_service=lambda: service)
