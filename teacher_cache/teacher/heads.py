"""The head that a checkpoint brings: taken over where its classes have the task's names, else made anew.

In: a loaded sequence classifier.  Out: settle_head().  Imports: torch.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch


def settle_head(
    model: Any, names: Mapping[int, str], labels: Sequence[str], missing: Collection[str], mismatched: Collection[str]
) -> str | None:
    """Give the last layer of the head the rows of `labels`, in their order; returns what to say of it, if anything.

    Args:
        model: the classifier, with a head for as many classes as there are `labels`.
        names: the checkpoint's own classes, by row (id2label of its configuration).
        labels: the task's classes.
        missing: parameters that the checkpoint does not have.
        mismatched: parameters that it has for another number of classes; they were drawn anew.
    """
    name, last = _find_last(model, len(labels))
    theirs = [str(names[row]) for row in sorted(names)]
    if f"{name}.weight" in missing:
        return None
    if f"{name}.weight" not in mismatched:
        rows = _match(theirs, labels)
        if rows is not None:
            _reorder(last, rows)
            return f"the base's own head is for {', '.join(theirs)}: taken over by these names"
        _draw(last, getattr(model.config, "initializer_range", 0.02))
    return f"the base's own head is for {', '.join(theirs)}: a new one is trained for {', '.join(labels)}"


def _find_last(model: Any, classes: int) -> tuple[str, Any]:
    """The last linear layer outside of the backbone that has an output for each class."""
    prefix = model.base_model_prefix + "."
    return [
        (name, part)
        for name, part in model.named_modules()
        if not name.startswith(prefix) and getattr(part, "out_features", None) == classes
    ][-1]


def _match(theirs: Sequence[str], labels: Sequence[str]) -> list[int] | None:
    """For each of `labels` the row of the class that is called so, however it is written; None where one is missing."""
    folded = [name.strip().casefold() for name in theirs]
    wanted = [label.strip().casefold() for label in labels]
    if len(set(folded)) < len(folded) or len(set(wanted)) < len(wanted) or set(folded) != set(wanted):
        return None
    return [folded.index(label) for label in wanted]


@torch.no_grad()
def _reorder(last: Any, rows: Sequence[int]) -> None:
    for parameter in last.parameters(recurse=False):
        parameter.copy_(parameter[list(rows)].clone())


@torch.no_grad()
def _draw(last: Any, deviation: float) -> None:
    last.weight.normal_(std=deviation)
    if last.bias is not None:
        last.bias.zero_()
