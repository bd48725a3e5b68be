"""A small probabilistic grammar: rules with alternatives, expanded at random.

In: rules as text.  Out: Grammar.  Imports: the standard library alone.
"""

import re
from collections.abc import Callable, Mapping
from random import Random

SLOT = re.compile(r"\{([^{}]+)\}")
ARTICLE = re.compile(r"\ba(?= [aeiou])")


class Grammar:
    """Rules by name; alternatives are parted by `|` and may hold `{slots}`, which are rules in their turn.

    Every alternative of a rule is equally likely; one that is written twice is twice as likely.

        >>> Grammar({"greeting": "hello {who}", "who": "world"}).expand("greeting", Random(0))
        'hello world'
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self.rules = {
            name: [" ".join(part.split()) for part in alternatives.split("|")] for name, alternatives in rules.items()
        }

    def expand(self, name: str, random: Random, rename: Callable[[str], str] = str) -> str:
        """A random text of rule `name`.

        Args:
            name: a rule.
            random: source of every choice.
            rename: from the name of a slot to the rule that fills it; called once for each slot that is met.

        Raises:
            KeyError: a slot whose rule is not defined.
        """
        return ARTICLE.sub("an", self._fill(name, random, rename))

    def _fill(self, name: str, random: Random, rename: Callable[[str], str]) -> str:
        chosen = pick(self.rules[rename(name)], random)
        return SLOT.sub(lambda slot: self._fill(slot[1], random, rename), chosen)


def pick(alternatives: list[str], random: Random) -> str:
    """One of `alternatives`; made of random() alone, whose sequence Python keeps the same in every version."""
    return alternatives[int(random.random() * len(alternatives))]
