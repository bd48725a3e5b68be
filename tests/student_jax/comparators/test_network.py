"""The transformer against transformers' BERT, what it may see, and the sizes of the paper's networks."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from safetensors.numpy import load_file, save_file
from transformers import BertConfig, BertModel

from student_jax.comparators.bert import read_bert
from student_jax.comparators.comparator_config import TEXT_CONFIGS
from student_jax.comparators.network import Classifier, Transformer, TransformerSize, count_inference
from student_jax.comparators.text_comparators import TEXT_COMPARATORS
from student_jax.comparators.token_dataset import Facts
from student_jax.model import name_arrays
from teacher_cache.errors import UserError
from tests.student_jax.comparators.conftest import LENGTH, VOCABULARY, make_tokens


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A BERT of three layers with random weights, as transformers writes it, and its states for some texts."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
    model = BertModel(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=20, **sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases, too, so that none can be mistaken
            parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokens, _ = make_tokens(6, 1)
    with torch.no_grad():
        output = model(torch.tensor(tokens), attention_mask=torch.tensor(tokens != 0), output_hidden_states=True)
    return folder, tokens, [state.numpy() for state in output.hidden_states]


def build(bert):
    """TinyBERT, started from the checkpoint, whose scores are the pooler's output."""
    method = TEXT_CONFIGS["tinybert"]()
    facts = Facts(VOCABULARY, LENGTH, 16, np.zeros((1, LENGTH), np.int32), (0,), 16)
    model = TEXT_COMPARATORS["tinybert"].build(method, facts, bert)
    parameters = model.initialise(np.random.default_rng(0))
    parameters["classifier"] = {"kernel": np.eye(16, dtype=np.float32), "bias": np.zeros(16, np.float32)}
    return model, parameters


def test_states_are_those_of_transformers(checkpoint):
    folder, tokens, states = checkpoint
    bert = read_bert(folder)
    values = {name: array for name, array in bert.take([0, 1, 2]).items() if name.startswith("transformer.")}
    graph, shapes = nnx.split(nnx.eval_shape(lambda: Transformer(bert.size, nnx.Rngs(0))))
    names = name_arrays(nnx.to_pure_dict(shapes))
    assert {f"transformer.{name}": array.shape for name, array in names.items()} == {
        name: array.shape for name, array in values.items()
    }
    tree = jax.tree.unflatten(
        jax.tree.structure(nnx.to_pure_dict(shapes)), [values[f"transformer.{name}"] for name in names]
    )
    own = tokens != 0
    read = jax.jit(lambda tree, tokens: nnx.merge(graph, tree)(tokens))
    for found, expected in zip(read(tree, jnp.asarray(tokens)), states, strict=True):
        np.testing.assert_allclose(np.asarray(found)[own], expected[own], atol=1e-4)


def test_a_rival_starts_from_the_first_layers_and_the_pooler(checkpoint):
    """TinyBERT's two small layers on three: the scores, through an identity, are tanh of the pooler of state 2."""
    folder, tokens, states = checkpoint
    model, parameters = build(read_bert(folder))
    tensors = load_file(folder / "model.safetensors")
    expected = np.tanh(states[2][:, 0] @ tensors["pooler.dense.weight"].T + tensors["pooler.dense.bias"])
    np.testing.assert_allclose(model.apply(parameters, jnp.asarray(tokens)), expected, atol=1e-4)


@pytest.mark.parametrize("method", [name for name, rival in TEXT_COMPARATORS.items() if rival.starts])
def test_every_rival_that_can_starts_from_a_checkpoint(checkpoint, method):
    """Two of its three layers, its width and its words; BERT-QTC has no layers, and its words are standardised."""
    folder, tokens, _ = checkpoint
    facts = Facts(VOCABULARY, LENGTH, 2, tokens, *(((0, 2), 5) if TEXT_COMPARATORS[method].states else ()))
    model = TEXT_COMPARATORS[method].build(TEXT_CONFIGS[method](), facts, read_bert(folder))
    parameters = model.initialise(np.random.default_rng(0))
    assert np.isfinite(jax.jit(model.apply)(parameters, jnp.asarray(tokens))).all()
    words = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    found = parameters["word" if method == "quantum_convolution" else "transformer"]
    if method == "quantum_convolution":
        np.testing.assert_allclose(found["embedding"], (words - words.mean(axis=0)) / words.std(), atol=1e-6)
    else:
        np.testing.assert_array_equal(found["word"]["embedding"], words)
        assert len(found["layers"]) == 2


def test_padding_changes_nothing():
    tokens, _ = make_tokens(5, 2)
    wider = np.pad(tokens, ((0, 0), (0, 4)))
    for causal in (False, True):
        size = TransformerSize(2, 16, 2, 24, VOCABULARY, 20, causal=causal)
        network = Classifier(size, Facts(VOCABULARY, LENGTH, 2, tokens), pooler=True, rngs=nnx.Rngs(0))
        narrow, wide = (nnx.jit(type(network).__call__)(network, jnp.asarray(each)) for each in (tokens, wider))
        np.testing.assert_allclose(narrow, wide, atol=1e-5)


def test_a_decoder_sees_what_came_before_alone():
    tokens, _ = make_tokens(5, 2)
    tokens = np.maximum(tokens, 1)
    changed = tokens.copy()
    changed[:, 6] += 1
    size = TransformerSize(2, 16, 2, 24, VOCABULARY + 1, LENGTH, types=0, causal=True)
    network = Transformer(size, nnx.Rngs(0))
    one, two = (np.asarray(network(jnp.asarray(each))[-1]) for each in (tokens, changed))
    np.testing.assert_allclose(one[:, :6], two[:, :6], atol=1e-6)
    assert np.abs(one[:, 6:] - two[:, 6:]).max(axis=(0, 2)).min() > 1e-4


# By hand for 30,522 words, 512 positions, 4 classes, teacher's states 4,096 wide; the paper's Table 3 beside it.
# tinybert: 31,036 x 312 + 624 embeddings, 4 x 1,142,184 layers, 97,656 pooler, 1,252 scores: 14.35 M
# minillm: 31,034 x 384 + 768, 12 x 1,774,464, 147,840, 1,540: 33.36 M
# distilbert: 31,034 x 768 + 1,536, 4 x 7,087,872, 3,076; pkd: two token types more: 52.19 M
PAPER = {"tinybert": 14_351_500, "minillm": 33_360_772, "distilbert": 52_190_212, "pkd": 52_191_748}


@pytest.mark.parametrize(("method", "parameters"), PAPER.items())
def test_sizes_of_the_papers_networks(method, parameters):
    states = ((0, 16, 32), 4096) if TEXT_COMPARATORS[method].states else ()
    facts = Facts(30_522, 48, 4, np.zeros((1, 48), np.int32), *states)
    model = TEXT_COMPARATORS[method].build(TEXT_CONFIGS[method](size="paper"), facts, None)
    assert count_inference(model.initialise(np.random.default_rng(0))) == parameters


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"got no .*config\.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"got no .*model\.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 20), "init must be a BERT checkpoint, got"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "gpt2"}'), "model_type bert, got gpt2"),
        (lambda folder: (folder / "config.json").write_text("[]"), "model_type bert, got None"),
        (
            lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'),
            "num_hidden_layers must be a whole number, got None",
        ),
        (
            lambda folder: save_file({"a": np.zeros(1)}, folder / "model.safetensors"),
            r"must hold embeddings\.word_embeddings\.weight, got no such tensor",
        ),
    ],
)
def test_checkpoints_that_do_not_serve_are_refused(checkpoint, tmp_path, change, message):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint[0] / name).read_bytes())
    change(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        build(read_bert(tmp_path))
    assert "\n" not in str(error.value)


def test_a_checkpoint_that_is_too_small_is_refused(checkpoint, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((checkpoint[0] / name).read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.raises(UserError, match="layers must be at least 2, got 1"):
        build(read_bert(tmp_path))
