"""What was run for this report: profile, data, machines, versions, commits.

In: summaries.  Out: tabulate_run, name_profile.  Imports: pipeline.params, which reads the profiles.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.params import read_yaml
from pipeline.report.columns import Column, Table
from pipeline.report.provenance import list_machines
from pipeline.report.summary_checks import Record, Summary

_PROFILES = Path(__file__).parents[2] / "profiles"


def tabulate_run(summaries: Sequence[Summary]) -> Table:
    """Each entry once for each different value."""
    records = [record for one in summaries for record in one["records"]]
    started = sorted(record["started"] for record in records)
    found: list[tuple[str, Any]] = [
        ("profile", name_profile(summaries) or "none of the shipped ones: params.yaml was changed"),
        ("tasks", ", ".join(dict.fromkeys(one["task"] for one in summaries))),
        ("teachers", ", ".join(dict.fromkeys(one["teacher"] for one in summaries))),
        ("seeds per student", ", ".join(sorted({str(len(one["seeds"])) for one in summaries}))),
        ("first and last run", " to ".join((started[0], started[-1]))),
        *(("commit", commit) for commit in sorted({record.get("commit") or "not known" for record in records})),
        *(("machine", machine) for machine in list_machines(summaries)),
    ]
    rows: list[Record] = [{"entry": entry, "value": value} for entry, value in found]
    return Table.build("run", "What was run", (Column("entry", "Entry"), Column("value", "Value")), rows)


def name_profile(summaries: Sequence[Summary]) -> str | None:
    """The shipped profile whose tasks, teachers, students and comparisons these are; None where it is none of them."""
    ran = {
        "tasks": list(dict.fromkeys(one["task"] for one in summaries)),
        "teachers": list(dict.fromkeys(one["teacher"] for one in summaries)),
        "student": summaries[0]["student"]["config"],
        "evaluate": {name: sorted(summaries[0].get(name) or {}) for name in ("controls", "losses")},
        "baselines": sorted(summaries[0]["baselines"]),
    }
    if any(one["student"]["config"] != ran["student"] for one in summaries):
        return None
    return next((path.stem for path in sorted(_PROFILES.glob("*.yaml")) if _agrees(read_yaml(path), ran)), None)


def _agrees(profile: Any, ran: Any) -> bool:
    """Whether every value of `profile` is that of `ran`, keys that `ran` does not know aside."""
    if isinstance(profile, Mapping):
        return all(_agrees(value, ran[key]) for key, value in profile.items() if key in ran)
    if isinstance(profile, list):
        return sorted(profile) == sorted(ran)
    return bool(profile == ran)
