"""The terms of a vocabulary as keyed hashes, so that who reads it reads no word of the training texts.

In: terms, a salt.  Out: hash_term(), require_salt().  Imports: the standard library.

That hides words from a reader, not from a dictionary: the salt goes where the hashes go, for a student must hash the
terms of the texts that it is asked.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any

# Of the 40,000 terms of a vocabulary at its limit two have the same hash once in 2e10 vocabularies.
HASH_BYTES = 8
# The terms of texts recur: of a few million in a corpus most are among its 65,536 last different ones.
KNOWN_HASHES = 1 << 16


@lru_cache(KNOWN_HASHES)
def hash_term(term: str, salt: str) -> int:
    """BLAKE2b of `term` keyed with `salt`, 64 hexadecimal digits, as a number below 2^64.

    Source: RFC 7693, section 2.9 for keyed hashing.
    """
    key = bytes.fromhex(salt)
    return int.from_bytes(blake2b(term.encode(errors="surrogatepass"), digest_size=HASH_BYTES, key=key).digest())


def require_salt(salt: Any) -> str:
    """`salt`, unless it is none.

    Raises:
        ValueError: it is not 64 hexadecimal digits.
    """
    if not isinstance(salt, str) or not re.fullmatch("[0-9a-f]{64}", salt):
        raise ValueError(f"salt must be 64 hexadecimal digits, got {str(salt)[:80]}")
    return salt
