from collections import Counter
from random import Random

import pytest

from pipeline.corpus.generated.grammar import Grammar


def test_slots_nest_and_white_space_closes_up():
    grammar = Grammar({"text": "{who}   said\n {what}", "who": "the {animal}", "animal": "cat", "what": "hello"})
    assert grammar.expand("text", Random(0)) == "the cat said hello"


def test_alternatives_are_equally_likely():
    """A two-sided bound of 5 standard deviations of a binomial count."""
    grammar = Grammar({"text": "a | a | b"})
    counts = Counter(grammar.expand("text", Random(seed)) for seed in range(3000))
    assert abs(counts["a"] - 2000) < 5 * (3000 * 2 / 9) ** 0.5
    assert sum(counts.values()) == 3000


def test_rename_is_asked_for_every_slot():
    grammar = Grammar({"text": "{same} not {other}", "good": "fine", "bad": "poor"})
    swap = {"same": "good", "other": "bad"}
    assert grammar.expand("text", Random(0), lambda slot: swap.get(slot, slot)) == "fine not poor"


def test_the_article_fits_the_next_word():
    grammar = Grammar({"text": "a {word} and a pear, a orange", "word": "apple"})
    assert grammar.expand("text", Random(0)) == "an apple and a pear, an orange"


def test_the_same_seed_writes_the_same():
    grammar = Grammar({"text": "{x}{x}{x}{x}", "x": "0 | 1 | 2 | 3"})
    assert grammar.expand("text", Random(3)) == grammar.expand("text", Random(3))
    assert len({grammar.expand("text", Random(seed)) for seed in range(50)}) > 30


def test_an_undefined_slot_is_an_error():
    with pytest.raises(KeyError, match="nothing"):
        Grammar({"text": "{nothing}"}).expand("text", Random(0))
