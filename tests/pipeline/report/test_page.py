import csv
import io
import re
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from pipeline.report.page import build_report
from teacher_cache.errors import UserError

VOID = {"meta", "link", "br", "input"}
HOSTILE = "<script>alert('&')</script>\""


class Page(HTMLParser):
    """What the tests ask of a page: its elements, each with its text, and whether they nest."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self._open = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs), "parents": [one["tag"] for one in self._open]}
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def find(self, tag, **wanted):
        return [one for one in self.elements if one["tag"] == tag and all(one.get(k) == v for k, v in wanted.items())]


def build(summaries, folder):
    folder.mkdir(exist_ok=True)
    build_report(summaries, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def many(make_summary, tmp_path_factory):
    """A page of four students: two tasks, two teachers; without controls and with one seed among them."""
    summaries = [
        make_summary(),
        make_summary(teacher="llama-local", controls=False),
        make_summary("thematic", labels=("Business", "Sci/Tech", "Sports", "World")),
        make_summary("thematic", "llama-local", labels=("Business", "Sci/Tech", "Sports", "World"), seeds=1),
    ]
    return Page(build(summaries, tmp_path_factory.mktemp("many")))


def test_page_needs_nothing_from_outside(many):
    addresses = [one[key] for one in many.elements for key in ("href", "src", "action", "data", "poster") if key in one]
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)
    style = many.find("style")[0]["text"]
    assert not re.search(r"@import|url\(|https?:", style)
    assert not re.search(r"https?:|fetch|import\b", many.find("script")[0]["text"])


def test_ids_are_unique_and_every_reference_has_its_target(many):
    ids = Counter(one["id"] for one in many.elements if "id" in one)
    assert set(ids.values()) == {1}
    keys = ("aria-labelledby", "aria-describedby", "clip-path", "href")
    values = [one[key] for one in many.elements for key in keys if one.get(key) and not one[key].startswith("data:")]
    named = {re.sub(r"^url\(#(.*)\)$|^#(.*)$", r"\1\2", value) for value in values}
    assert named <= set(ids)


def test_every_figure_has_a_title_and_a_description(many):
    texts = {one["id"]: one["text"].strip() for one in many.elements if "id" in one}
    drawings = many.find("svg")
    # Lengths by task, accuracy by split, three by student, controls of three of them, one circuit that all share, and
    # of figures 3 and 4 three for each task.
    assert len(drawings) == 2 + 2 + 3 * 4 + 3 + 1 + 3 * 2
    for drawing in drawings:
        assert drawing["role"] == "img"
        assert texts[drawing["aria-labelledby"]]
        assert texts[drawing["aria-describedby"]]
    assert len({texts[drawing["aria-labelledby"]] for drawing in drawings}) >= len(drawings) - 3


def test_every_figure_with_data_gives_it_as_csv(many):
    figures = [one for one in many.find("figure") if one.get("class") != "circuit"]
    links = [one for one in many.find("a", **{"class": "download"}) if "figcaption" in one["parents"]]
    assert len(links) == len(figures)
    for link in links:
        head, _, content = link["href"].partition(",")
        assert head == "data:text/csv;charset=utf-8"
        assert len(list(csv.DictReader(io.StringIO(unquote(content))))) > 0
    assert len({link["download"] for link in links}) == len(links)


def test_every_table_has_a_name_and_column_headers(many):
    tables = many.find("table")
    assert all(table.get("aria-labelledby") for table in tables)
    assert all(one.get("scope") for one in many.find("th"))


def test_headings_follow_the_datas_way(many):
    assert [one["text"] for one in many.find("h2")] == [
        *("Results", "Data", "Teachers", "Students against teachers", "Learning curves", "Confusion", "Calibration"),
        *("Controls", "Circuit", "Parameters", "Time and memory", "Paper and ours", "What the paper leaves out"),
    ]


def test_summary_shows_the_summaries_numbers(make_summary, tmp_path):
    summary = make_summary()
    text = build([summary], tmp_path / "one")
    table = text.partition('aria-labelledby="table-summary">\n    <table')[2].partition("</table>")[0]
    cells = Page(f"<table{table}</table>").find("td")
    test = summary["metrics"]["test"]
    student = [test["student"][key] for key in ("accuracy", "accuracy_low", "accuracy_high", "agreement", "kl")]
    expected = [test["teacher"]["accuracy"], *student, summary["student"]["trainable_parameters"]]
    assert [float(cell["data-value"]) for cell in cells[2:]] == expected
    assert [cell["text"] for cell in cells[2:]] == [f"{value:.4f}" for value in expected[:-1]] + ["8,811"]


def test_confusion_shows_the_matrix(make_summary, tmp_path):
    summary = make_summary()
    page = Page(build([summary], tmp_path / "one"))
    counts = [int(one["text"]) for one in page.find("small") if "figure" in one["parents"]]
    assert counts == [count for model in ("teacher", "student") for row in summary["confusion"][model] for count in row]


def test_every_table_of_the_paper_is_there_as_csv_and_as_latex(many):
    names = {link["download"] for link in many.find("a", **{"class": "download"})}
    for table in ("1", "3", "4", "5", "6", "7", "8"):
        assert {f"table_{table}.csv", f"table_{table}.tex"} <= names
    latex = [unquote(link["href"]) for link in many.find("a") if link.get("download") == "table_8.tex"]
    assert latex[0].startswith("data:application/x-tex;charset=utf-8,% needs")


def test_a_cell_shows_ours_its_interval_the_papers_and_the_difference(make_summary, tmp_path):
    summary = make_summary()
    for seed, accuracy in zip(summary["seeds"], (0.80, 0.81, 0.82, 0.83, 0.84), strict=True):
        seed["test"]["accuracy"] = accuracy
    page = Page(build([summary], tmp_path / "one"))
    # 0.82 with t(4) 2.776 x 0.0158 / sqrt 5 = 0.0196 about it; the paper has 0.8012 over its five teachers.
    shown = {" ".join(cell["text"].split()) for cell in page.find("td")}
    assert "0.8200 0.8004 to 0.8396 paper 0.8012, +0.0188" in shown


def test_without_rivals_the_page_says_so(make_summary, tmp_path):
    assert "No rival was trained beside these students" in build([make_summary()], tmp_path / "one")
    text = build([make_summary(rivals=("pkd",))], tmp_path / "two")
    assert "No rival was trained" not in text
    assert "rival better" in text


def test_without_any_control_the_page_says_so(make_summary, tmp_path):
    text = build([make_summary(controls=False)], tmp_path / "one")
    assert "nothing can be said about what the circuit adds" in text


def test_names_and_labels_are_text_and_never_markup(make_summary, tmp_path):
    summary = make_summary(HOSTILE, HOSTILE, labels=(HOSTILE, "b"))
    plain = make_summary("t", "u")
    hostile, harmless = (Page(build([one], tmp_path / one["task"][:1].strip("<"))) for one in (summary, plain))
    # The drawings' own marks aside: they differ with the numbers.
    tags = [Counter(one["tag"] for one in page.elements if "svg" not in one["parents"]) for page in (hostile, harmless)]
    assert tags[0] == tags[1]
    assert HOSTILE in {one["text"].strip() for one in hostile.find("th")}
    assert hostile.find("tr", **{"data-task": HOSTILE})


def test_same_summaries_give_the_same_bytes(make_summary, tmp_path):
    pages = [build([make_summary(), make_summary("hiding")], tmp_path / name) for name in ("a", "b")]
    assert pages[0] == pages[1]
    tables = [{path.name: path.read_bytes() for path in (tmp_path / name / "tables").iterdir()} for name in ("a", "b")]
    assert tables[0] == tables[1]


def test_nothing_is_written_of_what_is_refused(make_summary, tmp_path):
    with pytest.raises(UserError, match="must have one summary"):
        build([make_summary(), make_summary()], tmp_path / "report")
    assert list((tmp_path / "report").iterdir()) == []
