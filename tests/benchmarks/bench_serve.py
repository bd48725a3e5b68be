"""How fast a student answers: `qdllm predict` of one text, features in Python, `qdllm serve` and its memory.

Run: python -m tests.benchmarks.bench_serve [--seconds 10] [--student FOLDER] [--text FILE.parquet]
In: nothing, or a student and a Parquet file with a column `text`.  Out: build/bench/serve.json and the same as a table.
Imports: the student's half; no torch.

Without --student, one of the default's size (11 qubits, 4 layers, 768 features) that was never trained: answers cost
the same. Targets, for two cores, stand beside what was found. Eight connections are kept open and ask without a pause;
client and service share the machine's cores.
"""

import argparse
import http.client
import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

# The threads of many texts are our own; before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil
import pyarrow.parquet as pq

from pipeline.corpus.generated import emotion
from student_jax.config import EmbedConfig, StudentConfig
from student_jax.export.certificate import add_surrogate, sort_student
from student_jax.student import Student
from tests.benchmarks.timing import describe_machine
from tests.untrained import write_student

OUTPUT = Path("build/bench/serve.json")
CONNECTIONS = 8
CASES = [(1, 1), (CONNECTIONS, 1), (1, 64), (CONNECTIONS, 64)]  # connections, texts in a request
LABELS = ["negative", "positive"]
ROWS = 32_768
COLD_STARTS = 5
# What the runtime is built for, on two cores: what, the most or least of it.
TARGETS = {
    "predict of one text, cold, s": (1.0, "at most"),
    "features, exact, texts/s": (50_000, "at least"),
    "features, within 0.01, texts/s": (200_000, "at least"),
    "serve, one text, p50, ms": (2.0, "at most"),
    "serve, 64 texts x 8 connections, texts/s": (6_000, "at least"),
    "serve, resident, MB": (150, "at most"),
    "serve, ready, s": (2.0, "at most"),
}


def make_student(folder: Path) -> None:
    """An untrained student with features fitted on 2,400 generated texts."""
    rows = list(emotion.generate(2400, seed=0))
    texts, classes = [text for text, _ in rows], [LABELS.index(label) for _, label in rows]
    checkpoint = write_student(folder, texts, classes, LABELS, StudentConfig(), EmbedConfig())
    add_surrogate(folder, checkpoint, sort_student(checkpoint))


def time_predict(student: Path, text: str) -> float:
    """Median seconds of `qdllm predict` of one text, the process's start included, after one that warms the disk."""
    seconds = []
    for _ in range(1 + COLD_STARTS):
        start = time.perf_counter()
        subprocess.run(["qdllm", "predict", "--student", str(student), text], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))


def rate_features(student: Path, error: float | None, seconds: float) -> float:
    """Texts/s of which the features are given, ROWS at a time, in the best of the calls that fit in `seconds`."""
    loaded = Student.load(student, error=error)
    features = np.random.default_rng(0).normal(size=(ROWS, loaded.embedder.dimensions)).astype(np.float32)
    loaded.predict_features(features)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        loaded.predict_features(features)
        best = min(best, time.perf_counter() - start)
    return ROWS / best


def put_under_load(port: int, texts: list[str], connections: int, size: int, seconds: float) -> list[float]:
    """Seconds of every request that ended within `seconds`."""
    found: list[list[float]] = [[] for _ in range(connections)]
    end = time.perf_counter() + seconds

    def ask(place: int) -> None:
        random = np.random.default_rng(place)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            chosen = [texts[k] for k in random.integers(len(texts), size=size)]
            body = json.dumps({"texts": chosen})
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            assert len(json.loads(answer.read())["predictions"]) == size
            found[place].append(time.perf_counter() - start)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for each in found for one in each]


def measure(student: Path, texts: list[str], seconds: float) -> dict[str, Any]:
    """Start the service, ask it in every way of CASES, stop it."""
    command = ["qdllm", "serve", "--student", str(student), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        port, ready = int(line.split("127.0.0.1:")[1].split()[0]), float(line.split("after ")[1].split()[0])
        rows = []
        for connections, size in CASES:
            put_under_load(port, texts, connections, size, 1.0)
            times = put_under_load(port, texts, connections, size, seconds)
            p50, p99 = np.percentile(times, [50, 99])
            rate = len(times) / seconds
            rows.append(
                {"connections": connections, "texts": size, "p50_ms": 1000 * p50, "p99_ms": 1000 * p99}
                | {"requests_per_second": rate, "texts_per_second": rate * size}
            )
        resident = psutil.Process(process.pid).memory_info().rss
        process.terminate()
    return {"ready_seconds": ready, "resident_mb": resident / 1e6, "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--student", type=Path)
    parser.add_argument("--text", type=Path)
    options = parser.parse_args()
    if options.text is None:
        texts = [text for text, _ in emotion.generate(1000, seed=1)]
    else:
        texts = pq.read_table(options.text, columns=["text"])["text"].to_pylist()[:1000]
    with tempfile.TemporaryDirectory() as folder:
        if options.student is None:
            make_student(Path(folder))
        student = options.student or Path(folder)
        found = {
            "predict_seconds": time_predict(student, texts[0]),
            "exact_per_second": rate_features(student, None, options.seconds),
            "cut_per_second": rate_features(student, 0.01, options.seconds),
            **measure(student, texts, options.seconds),
        }
    characters = float(np.mean([len(text) for text in texts]))
    report = {"machine": describe_machine(), "mean_characters": characters, **found}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"texts of {characters:.0f} characters; ready in {found['ready_seconds']} s, {found['resident_mb']:.0f} MB")
    print(f"{'connections':>11} {'texts':>5} {'p50 ms':>8} {'p99 ms':>8} {'requests/s':>10} {'texts/s':>8}")
    for row in found["rows"]:
        times = f"{row['p50_ms']:8.1f} {row['p99_ms']:8.1f}"
        rates = f"{row['requests_per_second']:10.1f} {row['texts_per_second']:8.0f}"
        print(f"{row['connections']:>11} {row['texts']:>5} {times} {rates}")
    one, most = found["rows"][0]["p50_ms"], found["rows"][-1]["texts_per_second"]
    reached = [found["predict_seconds"], found["exact_per_second"], found["cut_per_second"], one, most]
    reached += [found["resident_mb"], found["ready_seconds"]]
    for (name, (target, side)), value in zip(TARGETS.items(), reached, strict=True):
        met = value <= target if side == "at most" else value >= target
        print(f"{name:<42} {value:12,.2f}   {side} {target:,}: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
