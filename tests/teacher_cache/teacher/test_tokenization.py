"""Which token pads; what a text cannot say; and that of a text with a prompt the text alone is cut."""

import pytest
from tokenizers import AddedToken

from teacher_cache.errors import UserError
from teacher_cache.teacher.tokenization import encode, load_tokenizer, require_tokens, tokenize
from tests.teacher_cache.teacher.conftest import make_stand_in

WORDS = "fog near the old quiet otter under a hammer today"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(make_stand_in("opt", tmp_path_factory.mktemp("opt")))


def test_a_tokenizer_with_no_token_to_pad_with_is_refused(tmp_path):
    folder = make_stand_in("llama", tmp_path, pad=False)
    tokenizer = load_tokenizer(folder)
    tokenizer.pad_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(UserError, match="tokenizer must have a pad, end-of-text or unknown token, got none"):
        load_tokenizer(folder)


def test_a_broken_tokenizer_is_refused(tmp_path):
    folder = make_stand_in("llama", tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="tokenizer cannot be loaded"):
        load_tokenizer(folder)


def test_a_text_cannot_say_special_tokens(tokenizer):
    """The name of the pad token inside a text is text, or anybody's text could cut itself short."""
    (tokens,) = tokenize(tokenizer, ["fog <pad> </s> fog"], 64)
    assert tokens[0] == 0
    assert tokens[-1] == 1
    assert not {0, 1, 2} & set(tokens[1:-1])


@pytest.mark.parametrize("prompt", ["{text}", "the {text} today", "{text} The mood is", "Mood of {text}"])
@pytest.mark.parametrize("cut", ["end", "start"])
def test_the_text_is_cut_and_never_the_prompt(tokenizer, prompt, cut):
    """The reference: of the tokens of the whole, those of the prompt stay, and as many of the text as there is room."""
    (whole,), none = encode(tokenizer, [WORDS], 64, prompt, cut)
    assert none == 0
    assert whole == tokenizer(prompt.replace("{text}", WORDS))["input_ids"]
    parts = [part.strip() for part in prompt.split("{text}")]  # a word's blank is of its token
    before, after = (len(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts)
    own = whole[1 + before : len(whole) - 1 - after]
    for room in (1, 4, len(own) - 1):
        length = 2 + before + after + room
        (short, same), cuts = encode(tokenizer, [WORDS, "fog"], length, prompt, cut)
        kept = own[:room] if cut == "end" else own[-room:]
        assert short == [*whole[: 1 + before], *kept, *whole[len(whole) - 1 - after :]]
        assert cuts == 1
        assert same == tokenizer(prompt.replace("{text}", "fog"))["input_ids"][:length]


def test_the_end_of_all_is_cut_for_adapters_that_were_trained_so(tokenizer):
    rows, cuts = encode(tokenizer, [WORDS], 8, "{text} The mood is")
    assert (len(rows[0]), cuts) == (8, 1)
    assert rows == encode(tokenizer, [WORDS], 8)[0]


def test_many_texts_are_encoded_as_each_alone(tokenizer):
    texts = [f"{WORDS} {row}" for row in range(2500)]
    rows, cuts = encode(tokenizer, texts, 12, "the {text} today", "start")
    assert cuts == len(texts)
    assert rows[2400] == encode(tokenizer, texts[2400:2401], 12, "the {text} today", "start")[0][0]


def test_a_prompt_without_room_for_a_text_is_refused(tokenizer):
    with pytest.raises(UserError, match=r"finetune.max_length must be > (\d+), the tokens of finetune.prompt, got 6"):
        encode(tokenizer, [WORDS], 6, "a prompt of many words is {text}", "end")


def test_a_text_without_any_token_is_one_of_padding(tokenizer):
    """A tokenizer without special tokens makes nothing of what its normalisation drops."""
    tokenizer.backend_tokenizer.post_processor, kept = None, tokenizer.backend_tokenizer.post_processor
    try:
        assert tokenize(tokenizer, ["", "fog"], 8)[0] == [tokenizer.pad_token_id]
    finally:
        tokenizer.backend_tokenizer.post_processor = kept


def test_a_pad_token_without_an_embedding_does_not_pad(tmp_path):
    """As of LLaMAs that were given a [PAD] and whose embeddings were not resized: the end token pads."""
    folder = make_stand_in("llama", tmp_path)
    tokenizer = load_tokenizer(folder)
    rows = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == rows
    tokenizer.save_pretrained(folder)
    again = load_tokenizer(folder)
    assert again.pad_token_id == again.eos_token_id == 1
    require_tokens(again, rows)  # no text can bring [PAD] up


@pytest.mark.parametrize("special", [False, True])
def test_a_token_without_an_embedding_is_refused_where_a_text_can_bring_it_up(special, tmp_path):
    folder = make_stand_in("llama", tmp_path)
    tokenizer = load_tokenizer(folder)
    rows = len(tokenizer)
    tokenizer.add_tokens([AddedToken("<user>", special=special)], special_tokens=special)
    require_tokens(tokenizer, rows + 1)
    if special:
        assert max(tokenize(tokenizer, ["the <user> fog"], 64)[0]) < rows
        require_tokens(tokenizer, rows)
        return
    assert max(tokenize(tokenizer, ["the <user> fog"], 64)[0]) == rows
    with pytest.raises(UserError, match=rf"must be among the {rows} that the base has embeddings for, got <user> past"):
        require_tokens(tokenizer, rows)
