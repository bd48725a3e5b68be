"""What a text is, in training and at inference alike: its normal form, and what no text may be.

In: a text as somebody wrote it.  Out: TextRules, PLAIN, FAULTS, normalise(), normalise_label().
Imports: the standard library.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

# NUL ends a string in too many libraries, and a lone surrogate (JSON can escape one) is not encodable.
INVALID = re.compile("[\0\ud800-\udfff]")
# Unicode's default ignorable characters and controls, but for what shapes its neighbours: joiners (U+034F, U+200C,
# U+200D), variation selectors, and the tags of a flag (UTS 51, ED-14a), which group 1 keeps.
INVISIBLE = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)"
    "|[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
FAULTS = ("null", "invalid_characters", "empty", "too_long")

Invisible = Literal["drop", "keep"]


def normalise(text: str, invisible: Invisible = "keep") -> str:
    """Unicode NFC with every run of white space made one space and none at the ends; doing it twice changes nothing.

    Args:
        text: any.
        invisible: whether INVISIBLE characters are dropped, or kept as something may be hidden in them.
    """
    shown = INVISIBLE.sub(r"\1", text) if invisible == "drop" else text
    return " ".join(unicodedata.normalize("NFC", shown).split())


def normalise_label(label: str) -> str:
    """The normal form of a class name: two that look the same are the same."""
    return normalise(label, "drop")


@dataclass(frozen=True)
class TextRules:
    """Which texts are learnt from and answered, and in what form.

    invisible: as `normalise` takes it.  max_characters: of the longest normal form.
    """

    invisible: Invisible = "keep"
    max_characters: int = 20_000

    def normalise(self, text: str) -> str:
        """The text's normal form."""
        return normalise(text, self.invisible)

    def find_fault(self, text: object) -> str | None:
        """Which of FAULTS the normal form `text` has; None where it has none."""
        if not isinstance(text, str):
            return "null"
        if not text:
            return "empty"
        if len(text) > self.max_characters:
            return "too_long"
        return "invalid_characters" if INVALID.search(text) else None

    def explain_fault(self, text: object) -> str | None:
        """The rule that `text`, in any form, breaks, and what it has instead; None where it can be read."""
        form = self.normalise(text) if isinstance(text, str) else text
        match self.find_fault(form):
            case "null":
                return f"text must be a string, got {type(text).__name__}"
            case "empty":
                return "text must not be empty, got nothing that can be seen"
            case "too_long":
                return f"text must have at most {self.max_characters} characters, got {len(str(form))}"
            case "invalid_characters":
                found = INVALID.search(str(form))
                assert found is not None
                kind = "NUL" if found[0] == "\0" else f"half of a surrogate pair, U+{ord(found[0]):04X},"
                return f"text must be Unicode without NUL, got {kind} at character {found.start() + 1}"
        return None


# Version 0.1's, which hold where nothing else is said.
PLAIN = TextRules()
