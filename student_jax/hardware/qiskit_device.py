"""Qiskit's devices: Aer without noise, snapshots of IBM's machines under Aer, and IBM's machines.

In: a SentCircuit, trained angles, a backend.  Out: QiskitDevice, build_qiskit_circuit().  Imports: numpy, qiskit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.primitives import BackendSamplerV2
from qiskit.quantum_info import Statevector
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_ibm_runtime.executor_sampler import Sampler

from student_jax.hardware.quantum_device import (
    CALIBRATIONS,
    Batch,
    Counts,
    Job,
    JobFailedError,
    count_circuits,
    join_calibrations,
)
from student_jax.hardware.sent_circuit import SentCircuit, find_angle
from teacher_cache.errors import UserError

# The transpiler's layout and routing are drawn: the best of as many is taken, unless all qubits are neighbours.
TRANSPILER_SEEDS = 8
# What the noiseless proof simulates: 2^20 amplitudes are 16 MiB.
MAX_ACTIVE_QUBITS = 20
FAILED = ("ERROR", "CANCELLED")
INPUTS = "z"


def build_qiskit_circuit(sent: SentCircuit, angles: Any) -> QuantumCircuit:
    """`sent` with its trained angles and a parameter z[i] for every qubit that is sent, measured into as many bits.

    Args:
        sent: what is sent.
        angles: as `tie_angles` gives them.
    """
    place = {qubit: index for index, qubit in enumerate(sent.qubits)}
    inputs = ParameterVector(INPUTS, len(sent.qubits))
    circuit = QuantumCircuit(len(sent.qubits), len(sent.qubits))
    for gate in sent.gates:
        wires, angle = [place[wire] for wire in gate.wires], find_angle(gate, angles)
        if angle is None:
            circuit.cx(*wires)
        else:
            turn = inputs[place[angle]] if isinstance(angle, int) else angle
            getattr(circuit, gate.kind.lower())(turn, *wires)
    circuit.measure(range(len(sent.qubits)), range(len(sent.qubits)))
    return circuit


@dataclass(frozen=True)
class QiskitDevice:
    """`circuit` is transpiled for `backend`; `service` finds jobs again, and is None where a job ends with its process.

    `qubits` are the circuit's own, columns of z. `sampler` makes of a backend what jobs are given to.
    """

    backend: Any
    service: Any
    circuit: QuantumCircuit
    qubits: Sequence[int]
    texts_per_job: int
    sampler: Callable[[Any], Any] = Sampler

    @classmethod
    def compile(cls, sent: SentCircuit, angles: Any, backend: Any, service: Any, texts_per_job: int) -> "QiskitDevice":
        """Transpile for `backend`: of several draws that with the fewest gates on two qubits, then the least depth."""
        circuit = build_qiskit_circuit(sent, angles)
        try:
            draws = [
                generate_preset_pass_manager(3, backend=backend, seed_transpiler=seed).run(circuit)
                for seed in range(1 if backend.coupling_map is None else TRANSPILER_SEEDS)
            ]
        except Exception as error:  # the transpiler's passes raise what they like
            raise UserError(
                f"the circuit of {circuit.num_qubits} qubits must fit backend {backend.name}, got: "
                f"{str(error).splitlines()[0]}; take another backend"
            ) from error
        best = min(draws, key=lambda draw: (draw.num_nonlocal_gates(), draw.depth()))
        return cls(backend, service, best, sent.qubits, texts_per_job)

    @property
    def paid(self) -> bool:
        """Whether jobs live on at the device's maker."""
        return self.service is not None

    def describe(self) -> dict[str, Any]:
        """The transpiled circuit in numbers; `qubits` are the device's own, in the order of the measured bits."""
        bits = self._measured()
        return {
            "qubits": [bits[bit] for bit in sorted(bits)],
            "gates": sum(self.circuit.count_ops().values()) - len(bits),
            "two_qubit_gates": self.circuit.num_nonlocal_gates(),
            "depth": self.circuit.depth(),
        }

    def simulate(self, z: Float[np.ndarray, "rows qubits"]) -> list[dict[str, float]]:
        """The measured strings' probabilities of the transpiled circuit, by its active qubits' state vector.

        Each bit is read from the physical qubit that the transpiled circuit measures into it: the final layout.

        Raises:
            UserError: it has too many active qubits.
        """
        places = {qubit: index for index, qubit in enumerate(self._active())}
        if len(places) > MAX_ACTIVE_QUBITS:
            raise UserError(
                f"the transpiled circuit must have at most {MAX_ACTIVE_QUBITS} active qubits to be proved, got "
                f"{len(places)}; take another backend"
            )
        small = QuantumCircuit(len(places))
        for step in self.circuit.data:
            if step.operation.name not in {"measure", "barrier"}:
                small.append(step.operation, [places[self.circuit.find_bit(qubit).index] for qubit in step.qubits])
        bits = self._measured()
        wanted = [places[bits[bit]] for bit in sorted(bits)]
        found = []
        for row in self._bind(z):
            bound = small.assign_parameters(dict(zip(self.circuit.parameters, row, strict=True)))
            # Qiskit writes the last of the wanted qubits first.
            said = Statevector(bound).probabilities_dict(wanted)
            found.append({string[::-1]: float(probability) for string, probability in said.items()})
        return found

    def estimate_cost(self, batches: list[Batch]) -> dict[str, float | None]:
        """Seconds on the device by its own gate times and pause between shots; IBM's service names no price."""
        shots = count_circuits(batches) * batches[0].shots
        pause = getattr(self.backend, "default_rep_delay", None)
        if pause is None:
            return {"seconds": None, "price_usd": None}
        seconds = shots * (self.circuit.estimate_duration(self.backend.target, unit="s") + pause)
        return {"seconds": round(seconds, 1), "price_usd": None}

    def submit(self, batch: Batch, tag: str) -> Job:
        """One job: the calibrations, and one circuit with as many sets of parameters as texts."""
        if self.paid:
            sampler = self.sampler(self.backend)
            sampler.options.environment.job_tags = [tag]
        else:
            sampler = BackendSamplerV2(backend=self.backend, options={"seed_simulator": batch.seed})
        calibrations = [self._calibrate(value) for value in range(CALIBRATIONS)] if batch.calibrations else []
        pubs: list[Any] = [(circuit,) for circuit in calibrations for _ in range(batch.calibrations)]
        job = sampler.run([*pubs, (self.circuit, self._bind(batch.z))], shots=batch.shots)
        return self._name(job)

    def find(self, tag: str, known: str | None) -> Job | None:
        """The job with `tag` at IBM."""
        if self.service is None:
            return None
        if known is not None:
            return self._name(self.service.job(known))
        sent = self.service.jobs(limit=1, job_tags=[tag])
        return self._name(sent[0]) if sent else None

    def _name(self, job: Any) -> Job:
        return Job(job.job_id(), lambda: _fetch(job))

    def _bind(self, z: Float[np.ndarray, "rows qubits"]) -> Float[np.ndarray, "rows parameters"]:
        """The values of the circuit's parameters, which are in the order of the vector z."""
        return z[:, [self.qubits[parameter.index] for parameter in self.circuit.parameters]]

    def _measured(self) -> dict[int, int]:
        """The physical qubit that is measured into each bit."""
        steps = [step for step in self.circuit.data if step.operation.name == "measure"]
        return {
            self.circuit.find_bit(step.clbits[0]).index: self.circuit.find_bit(step.qubits[0]).index for step in steps
        }

    def _active(self) -> list[int]:
        used = {self.circuit.find_bit(qubit).index for step in self.circuit.data for qubit in step.qubits}
        return sorted(used)

    def _calibrate(self, value: int) -> QuantumCircuit:
        """All measured qubits prepared as `value`, on the qubits that the texts' circuit measures."""
        circuit = self.circuit.copy_empty_like()
        for bit, qubit in self._measured().items():
            if value:
                circuit.x(qubit)
            circuit.measure(qubit, bit)
        return generate_preset_pass_manager(
            0, backend=self.backend, initial_layout=list(range(circuit.num_qubits))
        ).run(circuit)


def _fetch(job: Any) -> list[Counts]:
    """Wait for a job's counts: the calibrations of either kind together, then every text."""
    try:
        result = job.result()
    except Exception as error:  # the service's own errors, of several families
        if str(job.status()) not in FAILED:
            raise
        raise JobFailedError(f"job {job.job_id()} ended as {job.status()}: {str(error).splitlines()[0]}") from error
    return join_calibrations([_count(pub.data.c) for pub in result])


def _count(array: Any) -> list[Counts]:
    """The counts of every set of parameters; Qiskit writes the first bit last."""
    places = list(np.ndindex(array.shape)) if array.shape else [()]
    found = [array.get_counts(place) if place else array.get_counts() for place in places]
    return [{string[::-1]: int(count) for string, count in counts.items()} for counts in found]
