"""What leaves with a published student, said before it does: files, class names, terms, names of files in its settings.

In: the folder that is to be published.  Out: list_leaving().  Imports: student_jax.data, which needs no jax.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from student_jax.data.embedder import DESCRIPTION as EMBEDDER
from teacher_cache.text import INVISIBLE

EXAMPLES = 5


def list_leaving(folder: Path) -> list[str]:
    """A line for each kind of thing: how many there are, and some of them."""
    student, embedder = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("student.json", EMBEDDER))
    sizes = [f"{path.name} ({path.stat().st_size:,} bytes)" for path in sorted(folder.iterdir())]
    return [
        f"{len(sizes)} files: {', '.join(sizes)}",
        _count("class name", student["labels"]),
        f"names: {', '.join(f'{key} {value}' for key, value in sorted(student['origin'].items()))}",
        *_list_terms(embedder),
        *_list_paths({"embed": embedder["config"], "circuit": student["config"]["circuit"]}),
    ]


def _list_terms(embedder: Mapping[str, Any]) -> Iterator[str]:
    """A vocabulary is words of texts, and is the training texts' own where the features are of the kind `corpus`."""
    for kind, terms in embedder.get("terms", {}).items():
        if embedder["config"].get("hashed"):
            yield f"{len(terms)} {kind} of the training texts, as keyed hashes"
        else:
            yield _count(f"of the {kind} of the training texts, term", terms)
    if "tokenizer" in embedder:
        vocabulary = embedder["tokenizer"].get("model", {}).get("vocab", {})
        yield _count("of the tokenizer, token", [str(one) for one in vocabulary])


def _list_paths(settings: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for block, values in settings.items():
        for key in ("checkpoint", "path", "file"):
            if values.get(key):
                yield f"the name {_show(values[key])}, as {block}.{key}"


def _count(what: str, values: Sequence[str]) -> str:
    """Some of `values`, spread evenly over all."""
    step = max(1, len(values) // EXAMPLES)
    shown = ", ".join(_show(value) for value in values[::step][:EXAMPLES])
    before, _, noun = what.rpartition(", ")
    place = f" ({before})" if before else ""
    return f"{len(values):,} {noun}{'s' if len(values) != 1 else ''}{place}, such as {shown}"


def _show(value: str) -> str:
    """`value` on one line, in quotes where that is needed to see where it ends."""
    return json.dumps(INVISIBLE.sub(r"\1", str(value))[:60], ensure_ascii=False)
