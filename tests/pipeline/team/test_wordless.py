"""Each kind of features: which of them hold words, and what is advised."""

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from pipeline.team.wordless import require_wordless
from student_jax.config import EmbedConfig
from student_jax.data.corpus_fit import fit_corpus
from student_jax.data.embedder import Embedder
from student_jax.data.file_features import FileEmbedding
from student_jax.data.static_features import StaticEmbedding
from teacher_cache.errors import UserError


def save_each_kind(folder):
    """A folder of features of each kind, called after it; of `corpus` one of words and one of hashes."""
    corpus, hashed = EmbedConfig(dimensions=2), EmbedConfig(dimensions=2, hashed=True)
    texts = ["a good film", "a bad film", "a good song"]
    table = StaticEmbedding(Tokenizer(WordLevel({"film": 0}, unk_token="film")), np.ones((1, 2), np.float16))
    vectors = FileEmbedding(np.zeros(2, np.float32), np.ones(1, np.float32), "vectors.parquet")
    Embedder(corpus, fit_corpus(corpus, texts, None)).save(folder / "corpus")
    Embedder(hashed, fit_corpus(hashed, texts, None)).save(folder / "hashed")
    Embedder(EmbedConfig(kind="static"), table).save(folder / "static")
    Embedder(EmbedConfig(kind="file"), vectors).save(folder / "file")


def test_words_are_refused_by_the_names_of_their_files_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_each_kind(tmp_path)
    (tmp_path / "cards").mkdir()
    require_wordless(str(tmp_path / name) for name in ("hashed", "file", "cards", "inputs"))
    with pytest.raises(UserError, match=r"those of corpus/embedder.json: set embed.hashed: true in params.yaml, and"):
        require_wordless([str(tmp_path / "hashed"), str(tmp_path / "corpus")])
    with pytest.raises(UserError, match=r"those of static/embedder.json: set embed.kind in params.yaml to corpus with"):
        require_wordless([str(tmp_path / "static")])
