"""The page in Chromium."""

import shutil

import pytest

from pipeline.report.page import build_report

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def page(browser, make_run, tmp_path_factory):
    labels = ("Business and the economy", "Sci/Tech", "Sports", "World", "A-label-without-any-space-in-it")
    runs = [
        make_run("a-task-with-a-name-as-long-as-they-get", "b" * 40, labels=labels, accuracy=0.7),
        make_run(teacher="llama-local", accuracy=0.9, comparators=()),
    ]
    folder = tmp_path_factory.mktemp("report")
    build_report(runs, "default", folder)
    browser.open((folder / "index.html").as_uri())
    return browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_page_never_scrolls_sideways(page, width, scheme):
    page.resize(width)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("innerWidth") == width
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_logged_and_nothing_fetched(page):
    assert (
        page.evaluate("performance.getEntriesByType('resource').filter(one => !one.name.startsWith('data:')).length")
        == 0
    )
    logged = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert [event for event in page.events if event["method"] in logged] == []


def test_a_click_sorts_and_a_second_click_turns_it_round(page):
    """Sorted as numbers, and said so to a screen reader."""
    header = "document.querySelector('[aria-labelledby=table-summary] th:nth-child(4)')"
    rows = "[...document.querySelectorAll('table[aria-labelledby=table-summary] tbody tr')]"
    for direction, first_is_smaller in (("ascending", True), ("descending", False)):
        page.evaluate(f"{header}.querySelector('button').click()")
        first, second = page.evaluate(f"{rows}.map(row => +row.cells[3].dataset.value)")
        assert (first < second) == first_is_smaller
        assert page.evaluate(f"{header}.getAttribute('aria-sort')") == direction


def test_filter_hides_the_other_tasks(page):
    page.evaluate(
        "const form = document.querySelector('form.filter'); form.elements.task.value = 'emotion';"
        "form.dispatchEvent(new Event('change'))"
    )
    shown = "[...new Set([...document.querySelectorAll('[data-task]:not([hidden])')].map(one => one.dataset.task))]"
    assert page.evaluate(shown) == ["emotion"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_in_both_themes(page, scheme):
    """WCAG 2.2: contrast of text at least 4.5, of what carries meaning in a figure at least 3."""
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    names = ("page", "surface", "ink", "muted", "student", "teacher", "comparator")
    values = page.evaluate(
        f"{list(names)}.map(name => getComputedStyle(document.documentElement).getPropertyValue('--' + name))"
    )
    colours = dict(zip(names, values, strict=True))
    for ground in ("page", "surface"):
        for name, least in (("ink", 4.5), ("muted", 4.5), ("student", 4.5), ("teacher", 3), ("comparator", 3)):
            assert contrast(colours[name], colours[ground]) >= least, (name, ground)


def contrast(one, other):
    """Ratio of relative luminances, WCAG 2.2."""
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    channels = [int(colour.strip()[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
