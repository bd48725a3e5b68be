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
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(content | {"post_processor": None}))
    refuse(folder, "must end every text with the end token, which a classifier of bart reads")


def test_weights_that_somebody_has_quantized(tmp_path):
    folder = make_checkpoint("llama", tmp_path)
    edit_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    refuse(folder, "got weights quantized by gptq; take the checkpoint that they were made of, and base.quantization")


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
