"""What surrounds the tables: the run, the deviations, LaTeX."""

from pathlib import Path

import pytest

from pipeline.params import read_yaml
from pipeline.report.columns import Column, Table
from pipeline.report.paper.deviations import tabulate_deviations
from pipeline.report.paper.latex import format_table
from pipeline.report.paper.run import name_profile, tabulate_run
from pipeline.report.paper.section import build_section, write_latex

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("name", ["default", "smoke", "ablation", "compare", "paper"])
def test_a_run_of_a_shipped_profile_is_named_and_any_change_unnames_it(make_summary, name):
    profile = read_yaml(ROOT / "pipeline/profiles" / f"{name}.yaml")
    summaries = [make_summary(task, teacher) for task in profile["tasks"] for teacher in profile["teachers"]]
    for summary in summaries:
        summary["student"]["config"] |= profile["student"]
        for kind in ("controls", "losses"):
            summary[kind] = {one: {} for one in profile["evaluate"][kind]}
        summary["baselines"] = {one: {} for one in profile["baselines"]}
    assert name_profile(summaries) == name
    summaries[0]["student"]["config"]["learning_rate"] = 0.5
    assert name_profile(summaries) is None
    assert tabulate_run(summaries).records()[0]["value"].startswith("none of the shipped ones")


def test_run_names_commit_machine_and_versions(make_summary):
    entries = {row["entry"]: row["value"] for row in tabulate_run([make_summary()]).records()}
    assert entries["commit"] == "0123456789ab"
    assert "cores 2" in entries["machine"]
    assert "jax 0.10.2" in entries["machine"]


def test_deviations_name_what_was_run(make_summary):
    rows = {row["subject"]: row for row in tabulate_deviations([make_summary()]).records()}
    assert "bloom-local" in rows["Teachers"]["effect"]
    assert "embedded, 4,000 texts" in rows["Data"]["ours"]
    assert "rate 0.003, cosine, batch 64" in rows["Training"]["ours"]
    assert rows["Compared methods"]["ours"] == "none was run"
    assert all(value for row in rows.values() for value in row.values())


def test_deviations_of_rivals_and_of_the_papers_own_teacher(make_summary):
    summary = make_summary(rivals=("pkd",))
    summary["teacher_model"]["name"] = "bigscience/bloomz-3b"
    rows = {row["subject"]: row for row in tabulate_deviations([summary]).records()}
    assert rows["Teachers"]["effect"] == "The paper's own."
    assert rows["Compared methods"]["ours"] == "PKD: small size, from scratch"


def test_latex_escapes_what_latex_reads():
    table = Table.build(
        "t", "A & B", (Column("a", "A_1"), Column("n", "N", "count")), [{"a": "50 %\\{x}~^$#"}, {"n": 7}]
    )
    text = format_table(table)
    assert r"\caption{A \& B}\label{tab:t}" in text
    assert r"A\_1 & N \\" in text
    assert r"50 \%\textbackslash{}\{x\}\textasciitilde{}\textasciicircum{}\$\# & -- \\" in text
    assert r"-- & 7 \\" in text
    assert r"\begin{longtable}{lr}" in text


def test_every_line_of_latex_has_as_many_cells_as_columns(make_summary, tmp_path):
    section = build_section([make_summary(rivals=("pkd", "hitin"), losses=("ce", "kl", "js"))])
    write_latex(section, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(section.list_tables())
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        columns = len(text.partition("longtable}{")[2].partition("}")[0])
        body = text.partition("\\endfoot")[2].partition("\\end{longtable}")[0]
        rows = [line for line in body.splitlines() if line.endswith("\\\\")]
        assert len(rows) > 0
        assert {line.replace(r"\&", "").count("&") for line in rows} == {columns - 1}
        assert text.count("{") == text.count("}")
