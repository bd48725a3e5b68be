"""The door that every text passes: normalised, told apart, counted.

In: (text, class name) rows.  Out: normalise(), make_example_id(), clean().  Imports: the standard library alone.
"""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

from teacher_cache.schema import EXAMPLE_ID_BYTES

REASONS = ("null", "invalid_characters", "empty", "too_long", "contradicting", "duplicate")


def normalise(text: str) -> str:
    """Unicode NFC with every run of white space made one space and none at the ends; doing it twice changes nothing."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def make_example_id(task: str, text: str) -> bytes:
    """16 bytes that stand for a normalised `text` of `task`, wherever and in whatever order it is read."""
    return hashlib.blake2b(f"{task}\0{text}".encode(), digest_size=EXAMPLE_ID_BYTES).digest()


def clean(rows: Iterable[tuple[str | None, str]], max_characters: int) -> tuple[dict[str, str], Counter[str]]:
    """Normalise texts and drop what cannot be learnt from.

    Args:
        rows: (text, class name).
        max_characters: longest normalised text that is kept.

    Returns:
        (kept, drops): each kept text once, with its class name; rows dropped for each of REASONS. The two together
        account for every row, and neither depends on the order of the rows.
    """
    drops = Counter(dict.fromkeys(REASONS, 0))
    labels_of: defaultdict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        normalised = None if text is None else normalise(text)
        if reason := _find_fault(normalised, max_characters):
            drops[reason] += 1
        elif normalised is not None:
            labels_of[normalised].append(label)
    kept = {}
    for normalised, labels in labels_of.items():
        if len(set(labels)) > 1:
            drops["contradicting"] += len(labels)
        else:
            drops["duplicate"] += len(labels) - 1
            kept[normalised] = labels[0]
    return kept, drops


def _find_fault(text: str | None, max_characters: int) -> str | None:
    if text is None:
        return "null"
    if not text:
        return "empty"
    if len(text) > max_characters:
        return "too_long"
    # NUL ends a string in too many libraries, and a lone surrogate (JSON can escape one) is not encodable.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "invalid_characters"
    return None
