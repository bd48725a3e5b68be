"""What a request may ask for, and its body -> texts, or one line that says which rule it breaks.

In: a request's body.  Out: Limits, RefusedError, read_texts().  Imports: pydantic's JSON reader alone.
"""

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json


@dataclass(frozen=True)
class Limits:
    """The largest request that is answered: its body, its texts, each text's length, and how many may wait."""

    max_bytes: int = 2**20
    max_texts: int = 256
    max_characters: int = 20_000
    max_waiting: int = 64
    max_seconds: float = 10.0  # for a client to send its request


class RefusedError(Exception):
    """A request that breaks a rule: an HTTP status of 4xx or 503, and one line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def read_texts(body: bytes, limits: Limits) -> list[str]:
    """The texts of `{"texts": [...]}`.

    The reader bounds nesting (200) and the length of numbers, and takes neither NaN nor half of a surrogate pair.

    Raises:
        RefusedError: `body` is not such an object, or has too many texts (413) or too long ones (413).
    """
    try:
        content: Any = from_json(body, allow_inf_nan=False, cache_strings=False)
    except ValueError as error:
        raise RefusedError(400, f"body must be JSON in UTF-8: {error}") from None
    if not isinstance(content, dict) or set(content) != {"texts"}:
        raise RefusedError(422, 'body must be an object with the one key "texts"')
    texts = content["texts"]
    if not isinstance(texts, list) or not texts:
        raise RefusedError(422, "texts must be a list of at least one text")
    if len(texts) > limits.max_texts:
        raise RefusedError(413, f"texts must be at most {limits.max_texts}, got {len(texts)}")
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise RefusedError(422, f"texts[{place}] must be a text, got {type(text).__name__}")
        if len(text) > limits.max_characters:
            raise RefusedError(
                413, f"texts[{place}] must have at most {limits.max_characters} characters, got {len(text)}"
            )
    return texts
