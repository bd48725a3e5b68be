"""How good the teacher is, tallied a part at a time.

In: labels and probabilities.  Out: QualityTally, BINS.  Imports: NumPy alone.
"""

import numpy as np

# Equal bins ((k-1)/15, k/15] of confidence, as in Guo et al. 2017, arXiv:1706.04599, section 5.
BINS = 15
# log 0 is not finite; float32 probabilities below this are rounding.
SMALLEST = 1e-12


class QualityTally:
    """Sums over rows from which accuracy, NLL, ECE and mean entropy follow; memory is constant."""

    def __init__(self) -> None:
        self.rows = 0
        self._nll = 0.0
        self._entropy = 0.0
        self._bins = np.zeros((3, BINS))  # rows, summed confidence, correct rows

    def add(self, label: np.ndarray, probabilities: np.ndarray) -> None:
        """Tally rows: label (rows,) class indices, probabilities (rows, classes)."""
        p = np.clip(probabilities.astype(np.float64), SMALLEST, 1.0)
        confidence = p.max(axis=1)
        correct = p.argmax(axis=1) == label
        self.rows += len(label)
        self._nll -= np.log(p[np.arange(len(label)), label]).sum()
        self._entropy -= (p * np.log(p)).sum()
        index = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
        for row, weight in zip(self._bins, (np.ones(len(label)), confidence, correct), strict=True):
            row += np.bincount(index, weights=weight, minlength=BINS)

    def result(self) -> dict[str, float]:
        """Accuracy, nll (nats), ece and entropy (mean, nats) of the rows tallied so far, of which there is one."""
        _, confidence, correct = self._bins
        return {
            "accuracy": float(correct.sum() / self.rows),
            "nll": float(self._nll / self.rows),
            "ece": float(np.abs(confidence - correct).sum() / self.rows),
            "entropy": float(self._entropy / self.rows),
        }
