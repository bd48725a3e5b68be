"""The plan names the number that changed, what follows from it, what is cached, and how long it took."""

import json
import shutil

from pipeline.commands.plan import format_seconds, read_seconds


def test_a_plan_says_what_would_run_and_why(owner, tmp_path):
    checkout = owner.at(tmp_path / "copy")
    shutil.copytree(owner.folder, checkout.folder)
    assert checkout.run("qdllm", "plan") == "0 of 10 stages would run or be fetched from the run-cache\n"

    assert json.loads(checkout.run("qdllm", "plan", "--json")) == []

    shutil.rmtree(checkout.folder / "reports")
    (step,) = json.loads(checkout.run("qdllm", "plan", "--json"))
    assert step == {"stage": "report", "reasons": ["reports is deleted"], "cached": True, "seconds": None}
    assert checkout.run("qdllm", "plan").splitlines()[:2] == ["report  cached", "    reports is deleted"]

    checkout.edit("{rank: 8, alpha: 16", "{rank: 4, alpha: 16")
    checkout.edit("tasks: [emotion-tiny]", "tasks: [emotion-tiny, thematic]")
    lines = checkout.run("qdllm", "plan").splitlines()
    plan = dict(zip((line.split("  ")[0] for line in lines[:-1:2]), lines[1:-1:2], strict=True))
    assert next(iter(plan)) == "prepare@thematic"
    assert plan["prepare@thematic"] == "    has not run yet"
    assert plan["finetune@emotion-tiny-llama-tiny"] == "    teacher.llama-tiny.finetune.rank 8 -> 4"
    assert plan["cache_teacher@emotion-tiny-llama-tiny"] == "    after finetune@emotion-tiny-llama-tiny"
    assert plan["report"].startswith("    tasks ['emotion-tiny'] -> ['emotion-tiny', 'thematic']; ")
    assert {"embed@emotion-tiny", "base@emotion-tiny-llama-tiny"}.isdisjoint(plan)
    record = json.loads((checkout.folder / "records/finetune/emotion-tiny/llama-tiny.json").read_text())
    assert f"finetune@emotion-tiny-llama-tiny  {format_seconds(record['seconds'])}" in lines


def test_seconds_are_read_by_stage_and_pair(tmp_path):
    for number, names in enumerate(({"task": "a"}, {"task": "a", "teacher": "b"})):
        (tmp_path / f"{number}.json").write_text(json.dumps({"stage": "embed", "seconds": number + 0.5, **names}))
    assert read_seconds(tmp_path) == {("embed", "a"): 0.5, ("embed", "a-b"): 1.5}
    assert [format_seconds(value) for value in (None, 42.4, 210)] == ["?", "42 s", "3.5 min"]
