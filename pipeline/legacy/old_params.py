"""Version 0.1's params.yaml -> this version's: what the student is measured against has one word now.

In: the content of params.yaml, read so that comments are kept.  Out: carry_params().  Imports: ruamel.yaml.

    baselines: [lsfls]                              text_comparators: [few_labels]
    evaluate: {controls: [linear], losses: [kl]}    comparators: [linear, kl]
    baseline: {shared: A, lsfls: B}                 comparator: {shared: {features: ..., texts: A}, few_labels: B, ...}
"""

from collections.abc import Iterable
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

# Two rivals were not what their names said; a third was nothing of its own.
RENAMED = {"lsfls": "few_labels", "bertqtc": "quantum_convolution"}
# Of the student with one term of its loss, one goes by what it means.
TERMS = {"ce": "labels_alone"}
GONE = {"hitin": "it never read a hierarchy of labels"}
# What `evaluate` had where it named no controls.
CONTROLS = ("linear", "mlp", "no_entanglement", "frozen_circuit")
# Version 0.1 did not write down which profile was laid over its params; the tasks of these tell.
PROFILES = {"emotion-tiny": "smoke", "emotion-real": "real", "emotion-paper": "paper"}


def carry_params(content: CommentedMap) -> list[str]:
    """Give what version 0.1 named otherwise its name of today, in place; a line for each change."""
    evaluate = content.get("evaluate") or {}
    controls = [*evaluate.get("controls", CONTROLS), *(TERMS.get(term, term) for term in evaluate.get("losses", []))]
    rivals = [RENAMED.get(name, name) for name in content["baselines"] if name not in GONE]
    blocks = content.get("baseline") or {}
    gone = [name for name in GONE if name in content["baselines"] or name in blocks]
    student = content.setdefault("student", CommentedMap())
    features = {key: _flow(value) if isinstance(value, dict) else value for key, value in student.items()}
    features.pop("circuit", None)
    student.setdefault("pool", None)  # all of it: version 0.1 knew no pool
    if features.get("engine") == "fused":  # the default; it knows no circuit of a file
        del features["engine"]

    prepare = content.get("prepare")
    balanced = isinstance(prepare, dict) and "balance" not in prepare
    if balanced:
        prepare["balance"] = True  # version 0.1's default, which is another now
    profile = next((PROFILES[task] for task in content["tasks"] if task in PROFILES), "default")
    _replace(content, "baselines", "text_comparators", _list(rivals))
    content.insert(list(content).index("text_comparators") + 1, "profile", profile)
    _replace(content, "evaluate", "comparators", _list(controls))
    comparator = CommentedMap(shared=CommentedMap(features=_flow(features), texts=blocks.get("shared", _flow({}))))
    for name in [name for name in blocks if name != "shared" and name not in GONE]:
        comparator[RENAMED.get(name, name)] = blocks[name]
    for name in [*controls, *rivals]:
        comparator.setdefault(name, _flow({}))
    if isinstance(blocks, CommentedMap):
        comparator.ca.items.update({RENAMED.get(name, name): found for name, found in blocks.ca.items.items()})
    _replace(content, "baseline", "comparator", comparator)
    return [
        f"baselines -> text_comparators: [{', '.join(rivals)}]",
        f"evaluate.controls and evaluate.losses -> comparators: [{', '.join(controls)}]",
        *(f"baseline.{old} -> comparator.{new}" for old, new in RENAMED.items() if old in blocks),
        *(f"{name} left out: {GONE[name]}" for name in gone),
        *(["prepare.balance: true, as version 0.1 had it where nothing was said"] if balanced else []),
        f"profile: {profile}, by the tasks",
        "baseline -> comparator; baseline.shared -> comparator.shared.texts",
        f"student's {', '.join(features) or 'defaults'} -> comparator.shared.features too, as controls had them",
    ]


def _replace(content: CommentedMap, old: str, new: str, value: Any) -> None:
    """Put `value` under the key `new` where `old` was, or at the end, with the comments that stood there."""
    before, place = content.get(old), list(content).index(old) if old in content else len(content)
    comments = content.ca.items.pop(old, [None] * 4)
    content.pop(old, None)
    content.insert(place, new, value)
    if isinstance(value, CommentedSeq):  # a list in one line, so that what stood within stands behind it
        within = _read_comments([*comments[2:], before])
        short = "; ".join(line for text in within if (line := text.partition("\n")[0].strip()))
        below = "".join(text.partition("\n")[2] for text in within)
        comments = [*comments[:2], CommentToken(f"{short}\n{below}", CommentMark(0), None) if within else None, None]
    content.ca.items[new] = comments


def _read_comments(node: Any) -> list[str]:
    """All comments in a part of what ruamel.yaml has read, each with the line breaks and comments that follow it."""
    if isinstance(node, CommentedMap | CommentedSeq):
        parts = list(node.values()) if isinstance(node, CommentedMap) else list(node)
        node = [node.ca.comment, *node.ca.items.values(), *parts]
    if isinstance(node, list):  # some stand in two places at once
        return list(dict.fromkeys(text for part in node for text in _read_comments(part)))
    return [node.value] if isinstance(node, CommentToken) else []


def _list(names: Iterable[str]) -> CommentedSeq:
    found = CommentedSeq(names)
    found.fa.set_flow_style()
    return found


def _flow(values: dict[str, Any]) -> CommentedMap:
    found = CommentedMap(values)
    found.fa.set_flow_style()
    return found
