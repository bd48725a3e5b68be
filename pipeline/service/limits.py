"""What a request may ask for, and its body -> texts, or one line that says which rule it breaks.

In: a request's body.  Out: Limits, RefusedError, read_texts().  Imports: the standard library alone.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True)
class Limits:
    """The largest request that is answered: its body, its texts, each text's length, and how many may wait."""

    max_bytes: int = 2**20
    max_texts: int = 256
    max_characters: int = 20_000
    max_waiting: int = 64
    max_seconds: float = 10.0  # for a client to send its request

    def explain_fault(self, text: object) -> str | None:
        """The rule that one element of `texts` breaks before any student sees it; None where none."""
        if not isinstance(text, str):
            return f"text must be a string, got {type(text).__name__}"
        if len(text) > self.max_characters:
            return f"text must have at most {self.max_characters} characters, got {len(text)}"
        return None


class RefusedError(Exception):
    """A request that breaks a rule: an HTTP status of 4xx or 503, and one line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def read_texts(body: bytes | bytearray, limits: Limits) -> list[Any]:
    """The elements of `{"texts": [...]}`, of which each should be a text.

    The reader bounds nesting and the length of numbers. It takes half of a surrogate pair, where a client has cut an
    emoji in two: a fault of that text alone.

    Raises:
        RefusedError: `body` is not such an object, or has too many texts (413).
    """
    try:
        content: Any = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        raise RefusedError(400, "body must be JSON that is not nested so deeply") from None
    except ValueError as error:
        raise RefusedError(400, f"body must be JSON in UTF-8: {str(error)[:200]}") from None
    if not isinstance(content, dict) or set(content) != {"texts"}:
        raise RefusedError(422, 'body must be an object with the one key "texts"')
    texts = content["texts"]
    if not isinstance(texts, list) or not texts:
        raise RefusedError(422, "texts must be a list of at least one text")
    if len(texts) > limits.max_texts:
        raise RefusedError(413, f"texts must be at most {limits.max_texts}, got {len(texts)}")
    return texts


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
