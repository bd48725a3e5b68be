"""DVC's plots in Chromium, with the network switched off."""

import shutil

import pytest


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_plots_are_drawn_without_network(project, browser, tmp_path):
    checkout = project.at(tmp_path / "copy")
    shutil.copytree(project.folder, checkout.folder, ignore=shutil.ignore_patterns("work"))
    checkout.run("qdllm", "plots")
    assert "plots.html" not in checkout.run("git", "status", "--porcelain")
    checkout.run("dvc", "plots", "show", "--out", "plots")
    page = checkout.folder / "plots/index.html"
    assert "https://cdn" not in page.read_text()

    browser.call("Network.enable")
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    browser.open(page.as_uri())
    plots = "document.querySelectorAll('.vega-embed canvas, .vega-embed svg.marks').length"
    assert browser.evaluate(f"new Promise(done => setTimeout(() => done({plots}), 2000))", wait=True) >= 2
    # DVC's own templates make Vega warn.
    problems = [e["params"] for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
    said = [e["params"]["type"] for e in browser.events if e["method"] == "Runtime.consoleAPICalled"]
    assert problems == []
    assert set(said) <= {"warning"}
    fetched = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in fetched if not url.startswith(("file:", "data:"))] == []
