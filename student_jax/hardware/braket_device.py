"""Amazon Braket's devices, by its SDK, and its simulator on this machine.

In: an ARN, a SentCircuit, trained angles.  Out: open_braket(), BraketDevice.  Imports: numpy; braket where it is used,
for it does not go with DVC.

A device compiles and places the circuit itself after it was sent: the noiseless proof is of the program that is sent,
and the budget's gates are those of the student.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from student_jax.hardware.quantum_device import Batch, Counts, Job, JobFailedError, count_circuits, join_calibrations
from student_jax.hardware.sent_circuit import SentCircuit, find_angle
from teacher_cache.errors import UserError

# A program set of a QPU holds about 100 circuits, the default's 32 calibrations among them.
TEXTS_PER_JOB = 60
LOCAL = "local"
TASK_PRICE_USD = 0.30  # of a task on any QPU (aws.amazon.com/braket/pricing); that of a shot the device itself says
TAG = "qdllm"


def build_braket_circuit(sent: SentCircuit, angles: Any) -> Any:
    """`sent` with its trained angles and a free parameter z0, z1, ... for every qubit that is sent.

    Args:
        sent: what is sent.
        angles: as `tie_angles` gives them.
    """
    from braket.circuits import Circuit, FreeParameter

    place = {qubit: index for index, qubit in enumerate(sent.qubits)}
    circuit = Circuit()
    for gate in sent.gates:
        wires, angle = [place[wire] for wire in gate.wires], find_angle(gate, angles)
        if angle is None:
            circuit.cnot(*wires)
        else:
            turn = FreeParameter(f"z{place[angle]}") if isinstance(angle, int) else angle
            getattr(circuit, {"RZZ": "zz"}.get(gate.kind, gate.kind.lower()))(*wires, turn)
    return circuit


def open_braket(arn: str, sent: SentCircuit, angles: Any) -> "BraketDevice":
    """The device of an ARN by the account that the AWS SDK has, or Braket's simulator here where it is `local`.

    Raises:
        UserError: it cannot be reached.
    """
    from braket.aws import AwsDevice
    from braket.devices import LocalSimulator

    if arn == LOCAL:
        return BraketDevice(LocalSimulator(), build_braket_circuit(sent, angles), sent.qubits, False)
    try:
        device = AwsDevice(arn)
    except Exception as error:  # accounts, networks, regions: errors of several libraries
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"backend braket:{arn} must be reachable with the account of the AWS SDK (aws configure), got: {reason}"
        ) from error
    return BraketDevice(device, build_braket_circuit(sent, angles), sent.qubits, True)


@dataclass(frozen=True)
class BraketDevice:
    """`qubits` are the circuit's own, columns of z, in the order of the measured bits."""

    device: Any
    circuit: Any
    qubits: Sequence[int]
    paid: bool
    texts_per_job: int = TEXTS_PER_JOB

    def describe(self) -> dict[str, Any]:
        """The student's circuit in numbers; where it is placed, and into which gates, the device decides."""
        return {
            "qubits": [],
            "gates": len(self.circuit.instructions),
            "two_qubit_gates": sum(len(step.target) == 2 for step in self.circuit.instructions),
            "depth": self.circuit.depth,
        }

    def simulate(self, z: Float[np.ndarray, "rows qubits"]) -> list[dict[str, float]]:
        """The strings' probabilities of the program, by Braket's own simulator without shots."""
        from braket.circuits import Circuit
        from braket.devices import LocalSimulator

        bits = len(self.qubits)
        found = []
        for inputs in self._list_inputs(z):
            program = Circuit().add_circuit(self.circuit.make_bound_circuit(inputs)).probability(range(bits))
            said = LocalSimulator().run(program, shots=0).result().values[0]
            found.append({f"{index:0{bits}b}": float(share) for index, share in enumerate(said)})
        return found

    def estimate_cost(self, batches: list[Batch]) -> dict[str, float | None]:
        """The price by the device's own price of a shot; it names no seconds."""
        cost = getattr(self.device.properties.service, "deviceCost", None) if self.paid else None
        if cost is None or cost.unit != "shot":
            return {"seconds": None, "price_usd": None if self.paid else 0.0}
        shots = count_circuits(batches) * batches[0].shots
        return {"seconds": None, "price_usd": round(shots * cost.price + len(batches) * TASK_PRICE_USD, 2)}

    def submit(self, batch: Batch, tag: str) -> Job:
        """One task: a program set of the calibrations and the circuit with every text's inputs."""
        from braket.circuits import Circuit
        from braket.program_sets import CircuitBinding, ProgramSet

        bits = range(len(self.qubits))
        zeros, ones = Circuit(), Circuit()
        for bit in bits:
            zeros.i(bit)
            ones.x(bit)
        calibrations = [circuit for circuit in (zeros, ones) for _ in range(batch.calibrations)]
        rows = self._list_inputs(batch.z)
        inputs = {f"z{bit}": [row[f"z{bit}"] for row in rows] for bit in bits}
        programs = ProgramSet([*calibrations, CircuitBinding(self.circuit, input_sets=inputs)])
        options = {"tags": {TAG: tag}} if self.paid else {}
        return _name(self.device.run(programs, shots=batch.shots * programs.total_executables, **options))

    def find(self, tag: str, known: str | None) -> Job | None:
        """The task with `tag` at AWS, among this device's."""
        from braket.aws import AwsQuantumTask

        if not self.paid:
            return None
        if known is None:
            search = self.device.aws_session.braket_client.get_paginator("search_quantum_tasks")
            mine = {"name": "deviceArn", "operator": "EQUAL", "values": [self.device.arn]}
            tasks = (task for page in search.paginate(filters=[mine]) for task in page["quantumTasks"])
            known = next((task["quantumTaskArn"] for task in tasks if task.get("tags", {}).get(TAG) == tag), None)
        return None if known is None else _name(AwsQuantumTask(known, aws_session=self.device.aws_session))

    def _list_inputs(self, z: Float[np.ndarray, "rows qubits"]) -> list[dict[str, float]]:
        return [{f"z{bit}": float(row[qubit]) for bit, qubit in enumerate(self.qubits)} for row in z]


def _name(task: Any) -> Job:
    return Job(task.id, lambda: _fetch(task))


def _fetch(task: Any) -> list[Counts]:
    """Wait for a task's counts: the calibrations of either kind together, then every text."""
    result = task.result()
    if result is None:  # the SDK says so of a task that has none
        raise JobFailedError(f"task {task.id} ended as {task.state()}")
    return join_calibrations([[dict(entry.counts) for entry in program] for program in result])
