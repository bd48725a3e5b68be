"""What a run would cost, shown before anything is sent.

In: a Device, its batches.  Out: make_budget(), digest_budget(), list_changes(), find_refusal().
Imports: the standard library.
"""

from collections.abc import Mapping
from typing import Any

from student_jax.hardware.quantum_device import Batch, Device, count_circuits
from teacher_cache.errors import UserError
from teacher_cache.sealed import fingerprint

DIGITS = 12
# What the machine's calibration decides, which may change while a job waits there.
COMPILED = {"qubits", "gates", "two_qubit_gates", "depth", "seconds", "price_usd"}


def make_budget(device: Device, batches: list[Batch], identity: Mapping[str, str]) -> dict[str, Any]:
    """All that is paid for, and what decides it.

    Args:
        device: with the circuit compiled.
        batches: all jobs.
        identity: the names of backend, student and texts.
    """
    circuits = count_circuits(batches)
    return {
        **identity,
        "texts": sum(len(batch.z) for batch in batches),
        "circuits": circuits,
        "shots_per_circuit": batches[0].shots,
        "shots": circuits * batches[0].shots,
        "jobs": len(batches),
        "seed": batches[0].seed,
        **device.describe(),
        **device.estimate_cost(batches),
    }


def digest_budget(budget: Mapping[str, Any]) -> str:
    """A short name of a budget, which changes with anything in it."""
    return fingerprint(budget)[:DIGITS]


def list_changes(shown: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two budgets, as `shots 100 -> 200`."""
    return [
        f"{name} {str(shown.get(name))[:80]} -> {str(now.get(name))[:80]}"
        for name in dict.fromkeys((*shown, *now))
        if shown.get(name) != now.get(name)
    ]


def find_refusal(shown: Mapping[str, Any], now: Mapping[str, Any], sent: bool) -> str | None:
    """Why nothing more may be sent, where a budget is not as it was shown; None where it is.

    Args:
        shown: what was agreed to.
        now: what would be sent.
        sent: whether a job of `shown` was sent, which is then fetched even if the machine was calibrated anew.

    Raises:
        UserError: it is another run, or none that was begun.
    """
    changes = list_changes(shown, now)
    if not changes:
        return None
    refusal = f"the budget must be as it was shown, got {'; '.join(changes)}"
    if not sent or any(shown.get(name) != now.get(name) for name in {*shown, *now} - COMPILED):
        raise UserError(f"{refusal}; nothing was sent: look at it without --yes")
    return f"{refusal}; what was sent is kept, and nothing more was sent: name another folder by --run"
