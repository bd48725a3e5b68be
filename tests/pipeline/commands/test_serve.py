"""The service as a process: right answers, and one that nothing a client sends can end."""

import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")
JSON = {"content-type": "application/json"}
MAX_SECONDS = 3.0


@contextmanager
def start(checkout, *options):
    """`qdllm serve` on a free port; yields the process and the port."""
    process = subprocess.Popen(
        ["qdllm", "serve", *STUDENT, "--port", "0", "--max-seconds", str(MAX_SECONDS), *options],
        cwd=checkout.folder,
        env={**checkout.environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        found = re.search(r"answers at http://127\.0\.0\.1:(\d+) \(ready after", line)
        assert found, line + process.stderr.read()
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def service(project, without_torch):
    with start(project.at(project.folder, PYTHONPATH=without_torch)) as running:
        yield running


@pytest.fixture
def port(service):
    """The port; whatever a test does to the service, it answers afterwards, and is the same process."""
    process, port = service
    yield port
    assert ask(port, "GET", "/health")[0] == 200
    assert process.poll() is None


def ask(port, method, path, body=None, headers=JSON):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def predict(port, texts):
    status, _, body = ask(port, "POST", "/predict", json.dumps({"texts": texts}))
    assert status == 200, body
    return json.loads(body)["predictions"]


def test_answers_are_the_students(project, port):
    texts = ["what a lovely day", "", "\0", "a" * 20_001, "ünïcödé 🎉", *(f"a dull film {k}" for k in range(95))]
    (project.folder / "work/texts").write_text("\n".join(texts) + "\n")
    found = project.call("qdllm", "predict", *STUDENT, "--file", "work/texts")
    assert found.returncode == 2
    assert found.stderr == "qdllm: 3 of 100 texts have an error in place of a label; correct them or leave them out\n"
    answers = predict(port, texts)
    assert len(answers) == 100
    for line, answer in zip(map(json.loads, found.stdout.splitlines()), answers, strict=True):
        assert answer.keys() | {"text"} == line.keys()
        assert answer.get("label") == line.get("label")
        assert answer.get("error") == line.get("error")
        assert answer.get("probabilities", {}) == pytest.approx(line.get("probabilities", {}), abs=1e-5)
    assert [place for place, answer in enumerate(answers) if "error" in answer] == [1, 2, 3]


def test_a_bad_text_fails_alone(port):
    """Half of an emoji, no text at all: each in its own place; the answers of the others are there."""
    body = b'{"texts": ["a joy", "\\ud83d", null, 7, "a joy", "\\ufeff a\\njoy"]}'
    status, _, answer = ask(port, "POST", "/predict", body)
    assert status == 200
    said = json.loads(answer)["predictions"]
    assert [one.get("error") for one in said] == [
        None,
        "text must be Unicode without NUL, got half of a surrogate pair, U+D83D, at character 1",
        "text must be a string, got NoneType",
        "text must be a string, got int",
        None,
        None,
    ]
    for one in (said[4], said[5]):
        assert one["probabilities"] == pytest.approx(said[0]["probabilities"], abs=1e-5)


def test_clients_that_hang_up_keep_nobody_waiting(port):
    """Forty ask for a megabyte and hang up; an honest one has its answer before one of those would have been read."""
    body = json.dumps({"texts": ["a lovely day " * 1000] * 80}).encode()
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    assert len(body) < 2**20
    crowd = [send(port, whole) for _ in range(40)]
    for connection in crowd:
        connection.close()
    started = time.monotonic()
    assert len(predict(port, ["still here"])) == 1
    assert time.monotonic() - started < 15  # 40 MB take a minute


def test_clients_at_once_get_their_own_answers(port):
    texts = [f"film number {k} was {'fine' if k % 2 else 'awful'}" for k in range(24)]
    expected = predict(port, texts)
    found = [None] * len(texts)

    def work(k):
        (found[k],) = predict(port, [texts[k]])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_health_says_what_is_served_and_how_much_may_be_asked(port):
    status, _, body = ask(port, "GET", "/health")
    found = json.loads(body)
    assert status == 200
    assert (found["task"], found["teacher"]) == ("emotion-tiny", "llama-tiny")
    assert found["classes"] == ["negative", "positive"]
    assert found["confidence"] == 0
    assert found["limits"]["max_seconds"] == MAX_SECONDS


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "line"),
    [
        ("GET", "/predict", None, {}, 405, "method not allowed"),
        ("DELETE", "/", None, {}, 405, "method not allowed"),
        ("OPTIONS", "/predict", None, {"origin": "http://evil.example"}, 405, "method not allowed"),
        ("GET", "/../../etc/passwd", None, {}, 404, "not found"),
        ("GET", "/%00%ff" + "a" * 4000, None, {}, 404, "not found"),
        ("POST", "/predict", "{}", {}, 415, "content-type must be application/json, got none"),
        (
            "POST",
            "/predict",
            "a=1",
            {"content-type": "application/x-www-form-urlencoded"},
            415,
            "got application/x-www",
        ),
        ("POST", "/predict", "", JSON, 400, "body must be JSON"),
        ("POST", "/predict", "{" * 100_000, JSON, 400, "body must be JSON"),
        ("POST", "/predict", '{"texts":' * 100_000, JSON, 400, "not nested so deeply"),
        ("POST", "/predict", b"\x1f\x8b" + bytes(1000), {**JSON, "content-encoding": "gzip"}, 400, "must be JSON"),
        ("POST", "/predict", '{"texts": [NaN]}', JSON, 400, "must be JSON"),
        ("POST", "/predict", json.dumps({"texts": ["a"] * 257}), JSON, 413, "texts must be at most 256, got 257"),
        ("POST", "/predict", bytes(2**20 + 1), JSON, 413, "body must have at most 1048576 bytes"),
    ],
)
def test_a_bad_request_gets_one_line(port, method, path, body, headers, status, line):
    found, _, answer = ask(port, method, path, body, headers)
    assert found == status
    assert line in answer.decode()
    assert b"\n" not in answer


def send(port, data):
    """Send raw bytes; returns the connection."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(data)
    return connection


def read(connection):
    """All that comes until the service closes the connection."""
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),  # TLS
        b"GET / HTTQ/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no host
        b"\0" * 30_000,
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 30_000,
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_gets_400(port, data):
    with send(port, data) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert read(connection).startswith(b"HTTP/1.1 400 ")


def test_an_announced_giant_is_refused_at_the_first_byte_too_many(port):
    with send(port, HEAD + b"content-length: 10000000000\r\n\r\n" + bytes(2**20 + 1)) as connection:
        assert read(connection).startswith(b"HTTP/1.1 413 ")


def trickle(connection, seconds, data=b"x"):
    """Send a byte every tenth of a second, until the service closes or `seconds` are over; returns how long."""
    started = time.monotonic()
    try:
        while time.monotonic() - started < seconds:
            connection.sendall(data)
            time.sleep(0.1)
    except OSError:
        pass
    return time.monotonic() - started


def test_a_head_that_trickles_is_cut_off(port):
    with send(port, b"GET /health HTTP/1.1\r\nx: ") as connection:
        assert trickle(connection, 30) < 15  # MAX_SECONDS on a still machine
        assert read(connection) == b""


def test_a_body_that_trickles_is_refused_and_cut_off(port):
    with send(port, HEAD + b"content-length: 1000\r\n\r\n") as connection:
        assert trickle(connection, 30) < 15
    with send(port, HEAD + b"content-length: 1000\r\n\r\n") as connection:
        assert read(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_never_ends_is_refused_and_cut_off(port):
    with send(port, HEAD + b"transfer-encoding: chunked\r\n\r\n") as connection:
        assert trickle(connection, 30, b"10000\r\n" + bytes(0x10000) + b"\r\n") < 20


def test_clients_that_leave_early_leave_nothing(port):
    body = json.dumps({"texts": ["a lovely day " * 100] * 60}).encode()
    whole = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    for end in (10, len(HEAD), len(whole) - 5, len(whole)):
        for _ in range(10):
            connection = send(port, whole[:end])
            # Closed with a reset, not in order.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    assert len(predict(port, ["still here"])) == 1


def test_a_crowd_of_silent_clients_is_cut_off(port):
    crowd = [send(port, b"") for _ in range(300)]
    deadline = time.monotonic() + 30
    while ask(port, "GET", "/health")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert len(predict(port, ["still here"])) == 1
    for connection in crowd:
        connection.close()


def test_it_stays_small_and_quiet(service, port):
    """After all of the above, and some work: under 150 MB, and without torch (which cannot be imported there)."""
    for _ in range(5):
        predict(port, ["a word or two " * 30] * 256)
    process = psutil.Process(service[0].pid)
    assert process.memory_info().rss < 150e6
    assert select.select([service[0].stderr], [], [], 0)[0] == []  # no client can fill a log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_it_is_ready_ends_it(project, number, tmp_path):
    """While it reads its student, which comes by a pipe that gives nothing."""
    os.mkfifo(tmp_path / "embedder.json")
    command = ["qdllm", "serve", "--student", str(tmp_path), "--port", "0"]
    with subprocess.Popen(
        command, cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        writer = os.open(tmp_path / "embedder.json", os.O_WRONLY)  # waits until somebody reads
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
        os.close(writer)
    assert (process.returncode, output, errors.strip()) == (130, "", "qdllm: interrupted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_finish(project, number):
    with start(project) as (process, port):
        found = []
        texts = ["a lovely day, " * 200] * 256
        thread = threading.Thread(target=lambda: found.append(len(predict(port, texts))))
        thread.start()
        time.sleep(0.2)
        process.send_signal(number)
        thread.join(timeout=60)
        output, errors = process.communicate(timeout=60)
        assert found == [256]
        assert process.returncode == 0, errors
        assert (output, errors) == ("stopped\n", "")
        with pytest.raises(ConnectionRefusedError):
            send(port, b"")


def test_what_cannot_be_served_is_refused(project, port):
    line = project.refuse("qdllm", "serve", *STUDENT, "--port", str(port))
    assert f"--host and --port must be free to listen on, got 127.0.0.1 {port}" in line
    assert "no file must be named for it" in project.refuse(
        "qdllm", "serve", *STUDENT, "--port", "0", "--circuit", "x.py"
    )
    assert "nobody/embedder.json must exist" in project.refuse("qdllm", "serve", "--student", "nobody")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_answers_in_a_browser(browser, port):
    browser.open(f"http://127.0.0.1:{port}/")
    browser.evaluate("texts.value = 'a lovely day\\n<b>awful</b>'; button.click()")
    shown = "document.querySelectorAll('#answers li').length"
    deadline = time.monotonic() + 30
    while browser.evaluate(shown) != 2:
        assert time.monotonic() < deadline
    assert "<b>awful</b>" in browser.evaluate("answers.innerText")
    assert re.fullmatch(r"2 texts in \d+ ms", browser.evaluate("document.querySelector('#status').textContent"))
    assert browser.evaluate("about.textContent").startswith("Task emotion-tiny, distilled from llama-tiny")
    for width in (390, 1280):
        browser.resize(width)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
    logged = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
    assert [event for event in browser.events if event["method"] in logged] == []
