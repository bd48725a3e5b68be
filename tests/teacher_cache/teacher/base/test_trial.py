"""What cannot become a teacher is refused by stage `base`, in one line whose advice works."""

import json

import pytest
from transformers import AutoConfig, AutoModelForCausalLM, FNetConfig, FNetModel, ViTConfig

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.base.trial import try_checkpoint
from teacher_cache.teacher.teacher_config import HubBase
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.families import make_checkpoint, tokenizer


def refuse(folder, message, dtype="bfloat16"):
    with pytest.raises(UserError, match=message) as caught:
        try_checkpoint(folder, dtype)
    assert "\n" not in str(caught.value)


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_base_writes_no_identity_of_what_it_refuses(tmp_path):
    folder = make_checkpoint("bert", tmp_path / "model")
    edit_config(folder, model_type="perceptron")
    (tmp_path / "base").mkdir()
    with pytest.raises(UserError, match="cannot be loaded as a classifier"):
        make_base(HubBase("hub", str(folder)), [], 0, tmp_path / "base")
    assert not list((tmp_path / "base").iterdir())


def test_a_token_without_an_embedding_and_its_cure(tmp_path):
    folder = make_checkpoint("llama", tmp_path)
    added = load_tokenizer(folder)
    added.add_tokens(["<user>"])
    added.save_pretrained(folder)
    refuse(
        folder, r"got <user> past them; call model.resize_token_embeddings\(len\(tokenizer\)\) and save the base again"
    )
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(added))
    model.save_pretrained(folder)
    try_checkpoint(folder, "bfloat16")


def test_a_dtype_in_which_it_cannot_be_trained(tmp_path):
    folder = make_checkpoint("deberta", tmp_path)
    refuse(folder, "base.dtype must be float32 for deberta, got bfloat16")
    try_checkpoint(folder, "float32")


def test_answers_that_depend_on_padding(tmp_path):
    """The Fourier transform of FNet mixes a text with its padding."""
    shapes = {"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16, "vocab_size": len(tokenizer())}
    FNetModel(FNetConfig(**shapes)).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    refuse(tmp_path, "a teacher's answer must not depend on padding, and that of fnet does")


def test_an_encoder_decoder_whose_tokenizer_does_not_end_its_texts(tmp_path):
    folder = make_checkpoint("bart", tmp_path)
    try_checkpoint(folder, "bfloat16")
    edit_config(folder, decoder_start_token_id=None)
    refuse(folder, "config.json must have a decoder_start_token_id, got none")
    edit_config(folder, decoder_start_token_id=1)
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(content | {"post_processor": None}))
    refuse(folder, "must end every text with the end token, which a classifier of bart reads")


def test_weights_that_somebody_has_quantized(tmp_path):
    folder = make_checkpoint("llama", tmp_path)
    edit_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    refuse(folder, "got weights quantized by gptq; take the checkpoint that they were made of, and base.quantization")


def test_a_tokenizer_of_another_kinds_files(tmp_path):
    """Of BERT's class, which reads vocab.txt: transformers makes one that knows no word."""
    folder = make_checkpoint("bert", tmp_path)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    (folder / "spiece.model").write_bytes(b"words")
    refuse(folder, "tokenizer must have words, got special tokens alone; bring its tokenizer.json")
    (folder / "spiece.model").rename(folder / "tokenizer.model")
    edit_config(folder, model_type="llama")
    refuse(folder, "tokenizer cannot be loaded: .*; bring its tokenizer.json")


def test_an_adapter_in_place_of_a_model(tmp_path):
    folder = make_checkpoint("llama", tmp_path / "model")
    (folder / "adapter_config.json").write_text("{}")
    (tmp_path / "base").mkdir()
    with pytest.raises(UserError, match=r"must hold a whole model, got an adapter .*; merge it into its base"):
        make_base(HubBase("hub", str(folder)), [], 0, tmp_path / "base")


def test_code_of_its_own_is_neither_run_nor_asked_about(tmp_path, monkeypatch):
    folder = make_checkpoint("llama", tmp_path)
    edit_config(folder, model_type="theirs", auto_map={"AutoConfig": "theirs.Config"})
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail(question))
    refuse(folder, "cannot be loaded as a classifier: .*contains custom code")


def test_a_model_of_pictures(tmp_path):
    folder = make_checkpoint("bert", tmp_path)
    ViTConfig(hidden_size=32).save_pretrained(folder)
    refuse(folder, "cannot be loaded as a classifier: it must be a model of texts, got vit")


def test_weights_of_a_part_alone(tmp_path):
    folder = make_checkpoint("bert", tmp_path)
    AutoConfig.from_pretrained(folder, num_hidden_layers=3).save_pretrained(folder)
    refuse(
        folder, r"weights must be those of the bert that config.json says, got none of bert.encoder.layer.2\..* others"
    )
