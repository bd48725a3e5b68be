"""`qdllm device`: a trained student on a quantum device, or on a simulated one: the budget first, then the run.

In: a student folder, its features and cache, a backend's name.  Out: device (a click command).
Imports: jax and qiskit when it runs; never torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.diagnose import read_test
from teacher_cache.errors import UserError
from teacher_cache.sealed import write_sealed

if TYPE_CHECKING:
    from student_jax.checkpoint import Checkpoint
    from student_jax.data.dataset import Split
    from student_jax.hardware.device_run import DeviceRun
    from student_jax.hardware.run_folder import RunFolder

FOLDER = click.Path(path_type=Path)
RESULT, FORMAT = "result.json", 1
SHOWN = "as shown"


@click.command()
@click.option("--student", type=FOLDER, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--backend", required=True, help="aer, fake_fez, fake_torino, ibm:NAME or braket:ARN.")
@click.option("--features", type=FOLDER, help="Its task's features.  [default: features/{task}]")
@click.option("--cache", type=FOLDER, help="The cache it was trained on.  [default: cache/{task}/{teacher}]")
@click.option("--rows", type=click.IntRange(min=1), default=200, show_default=True, help="Test texts, the first by id.")
@click.option("--shots", type=click.IntRange(min=1), default=256, show_default=True, help="Of every circuit.")
@click.option(
    "--calibrations",
    type=click.IntRange(min=0),
    default=16,
    show_default=True,
    help="Circuits that show how well the device reads, of either value; 0: no mitigation.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of a simulated device.")
@click.option(
    "--run", "folder", type=FOLDER, help="Where the run is kept.  [default: devices/{task}/{teacher}/BACKEND]"
)
@click.option(
    "--yes", "agreed", is_flag=False, flag_value=SHOWN, help="Send what was shown: alone, or with its digest."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def device(
    student: Path,
    backend: str,
    features: Path | None,
    cache: Path | None,
    rows: int,
    shots: int,
    calibrations: int,
    seed: int,
    folder: Path | None,
    agreed: str | None,
    as_json: bool,
) -> None:
    """Run a student's circuit on a device: without --yes show the budget, with it send and read.

    A run that was interrupted goes on with the same command: jobs that were sent are fetched, not sent again. Accounts
    and tokens are those that the device's own library has saved.
    """
    import numpy as np

    from student_jax.checkpoint import load_checkpoint
    from student_jax.hardware.device_run import prepare_run
    from student_jax.hardware.run_folder import RunFolder

    checkpoint = load_checkpoint(student)
    split = take_first(read_test(checkpoint, student, features, cache), rows)
    vectors = np.asarray(split.features[: len(split.labels)])
    run = prepare_run(checkpoint, backend, vectors, split.ids, shots, calibrations, seed)
    origin = checkpoint.description.origin
    kept = RunFolder(
        folder or Path("devices", origin["task"], origin["teacher"], backend.replace(":", "-").replace("/", "-"))
    )
    with kept.hold():
        if agreed is None:
            show_budget(run, kept, as_json)
            return
        digest, refusal = require_agreement(run, kept, agreed)
        result = send(run, kept, digest, refusal, checkpoint, split)
        write_sealed(kept.path / RESULT, {"format": FORMAT, "digest": digest, **result})
    click.echo(json.dumps(result) if as_json else format_result(result))


def take_first(split: "Split", rows: int) -> "Split":
    """The first `rows` rows of `split` by id."""
    import numpy as np

    chosen = np.argsort(split.ids, kind="stable")[:rows]
    return type(split)(*(None if array is None else array[chosen] for array in split))


def show_budget(run: "DeviceRun", kept: "RunFolder", as_json: bool) -> None:
    """Print what a run costs, and keep it as what was shown.

    Raises:
        UserError: jobs of another budget were sent from this folder.
    """
    from student_jax.hardware.budget import list_changes

    shown = kept.read_budget()
    if shown is not None and shown != run.budget and kept.has_jobs():
        raise UserError(
            f"{kept.path} has jobs of another budget ({'; '.join(list_changes(shown, run.budget))}); "
            "give the options as before, or name another folder by --run"
        )
    kept.write_budget(run.budget)
    if as_json:
        click.echo(json.dumps({"budget": run.budget, "digest": run.digest, "proof_error": run.error}))
    else:
        click.echo(format_budget(run.budget, run.digest, run.error))


def require_agreement(run: "DeviceRun", kept: "RunFolder", agreed: str) -> tuple[str, str | None]:
    """The digest of what was agreed to, and why nothing more may be sent of it, where that is so.

    Raises:
        UserError: nothing was shown, or something else.
    """
    from student_jax.hardware.budget import digest_budget, find_refusal

    shown = kept.read_budget()
    if shown is None:
        raise UserError(f"a budget must be shown before --yes, got none in {kept.path}; run the command without --yes")
    refusal, digest = find_refusal(shown, run.budget, kept.has_jobs()), digest_budget(shown)
    if agreed not in (SHOWN, digest):
        raise UserError(f"--yes must be {digest}, the digest of what was shown, got {agreed}")
    return digest, refusal


def send(
    run: "DeviceRun", kept: "RunFolder", digest: str, refusal: str | None, checkpoint: "Checkpoint", split: "Split"
) -> dict[str, Any]:
    """Send and fetch what is not there yet; the scores of the whole run."""
    from pipeline.evaluation.device_scores import compare_device, estimate_share
    from student_jax.hardware.device_run import score_values
    from student_jax.hardware.execution import read_values, run_batches

    bits = run.sent.parities.shape[1]
    run_batches(run.device, run.batches, bits, kept, digest, lambda line: click.echo(line, err=True), refusal)
    values = read_values(run.batches, run.sent.parities, kept, digest)
    exact, truth = score_values(checkpoint, run.exact).argmax(axis=1), split.labels
    result: dict[str, Any] = {
        "backend": run.budget["backend"],
        "texts": len(truth),
        "exact": {"accuracy": list(estimate_share(int((exact == truth).sum()), len(truth)))},
    }
    for kind, measured in (("measured", values.measured), ("mitigated", values.mitigated)):
        if measured is not None:
            found = compare_device(truth, score_values(checkpoint, measured).argmax(axis=1), exact)
            result[kind] = {
                "accuracy": list(found.accuracy),
                "difference": list(found.difference),
                "agreement": found.agreement,
            }
    return result


def format_budget(budget: Mapping[str, Any], digest: str, error: float) -> str:
    """The budget as lines."""
    seconds, price = budget["seconds"], budget["price_usd"]
    lines = [
        f"backend {budget['backend']}",
        f"{budget['circuits']} circuits ({budget['texts']} texts) in {budget['jobs']} jobs, {budget['shots']} shots",
        f"{budget['two_qubit_gates']} gates on two qubits, depth {budget['depth']}, {budget['gates']} gates",
        f"qubits {', '.join(map(str, budget['qubits']))}" if budget["qubits"] else "qubits: the device's choice",
        "seconds on the device: " + (f"some {seconds:g}" if seconds is not None else "it does not say"),
        "price: " + (f"{price:.2f} USD" if price is not None else "its library does not say"),
        f"without noise the compiled circuit is the student's to {error:.1g}",
        f"Nothing was sent. To send this: the same command with --yes {digest}",
    ]
    return "\n".join(lines)


def format_result(result: Mapping[str, Any]) -> str:
    """The result as lines."""
    lines = [f"{result['texts']} test texts on {result['backend']}, 95 % intervals"]
    for kind in ("exact", "measured", "mitigated"):
        if kind not in result:
            continue
        one = result[kind]
        accuracy, low, high = one["accuracy"]
        line = f"{kind:<10}{accuracy:.3f} [{low:.3f}, {high:.3f}]"
        if "difference" in one:
            mean, low, high = one["difference"]
            line += f"  {mean:+.3f} [{low:+.3f}, {high:+.3f}] against exact, same label {one['agreement']:.1%}"
        lines.append(line)
    return "\n".join(lines)
