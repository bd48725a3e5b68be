"""Files that a test writes, and a dataset as a hub has it, in a folder."""

import pytest


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Its folder: 3 rows in each of train and test, one text null, one label none."""
    datasets = pytest.importorskip("datasets", reason="the extra `teacher` is not installed")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "n": datasets.Value("int8"),
        }
    )
    (tmp_path / "toy").mkdir()
    for split, labels in (("train", [0, 1, 1]), ("test", [1, 0, -1])):
        rows = {"text": ["a", None, "c"], "label": labels, "n": [1, 2, 3]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "toy" / f"{split}.parquet")
    return str(tmp_path / "toy")


@pytest.fixture
def write(tmp_path):
    """Writes a file of a name and a content, text or bytes; its path."""

    def write_bytes(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_bytes
