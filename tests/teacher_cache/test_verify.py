"""Inspect says what is there, verify finds what is wrong, diff tells two caches apart."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.commands.cache import cache
from teacher_cache.errors import UserError
from teacher_cache.manifest import fingerprint_examples, hash_file
from teacher_cache.reader import open_cache
from teacher_cache.schema import LABELLED_SPLITS, POOLED_EXAMPLES
from teacher_cache.verify import diff_caches, inspect_cache, verify_cache
from teacher_cache.writer import Staging
from tests.teacher_cache.conftest import LEFT_OUT, MAKERS, QUALITY, edit_manifest, make_columns, make_job


def make_examples() -> pa.Table:
    job = make_job()
    parts = [make_columns(job, index) for index in range(job.parts)]
    columns = {name: pa.concat_arrays([part[name] for part in parts]) for name in ("example_id", "split", "label")}
    return pa.table({**columns, "text": [f"text {row}" for row in range(job.rows)]}, schema=POOLED_EXAMPLES)


def count_pool() -> list[int]:
    job = make_job()
    return [make_columns(job, index)["label"].null_count for index in range(job.parts)]


def add_unanswered(examples: pa.Table) -> pa.Table:
    """Examples of which the last has no row in a cache."""
    row = {"example_id": [bytes.fromhex(LEFT_OUT[0])], "split": ["pool"], "label": [None], "text": ["unanswered"]}
    return pa.concat_tables([examples, pa.table(row).cast(examples.schema)])


def rewrite(folder, index, name, change):
    """Change one column of a part and make the manifest's checksum fit, as a forger would."""
    path = folder / f"part-{index:05d}.parquet"
    table = pq.read_table(path)
    matrix = change(table[name].combine_chunks().flatten().to_numpy().reshape(len(table), -1).copy())
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    place = table.schema.get_field_index(name)
    pq.write_table(table.set_column(place, table.schema.field(name), column), path)
    parts = json.loads((folder / "manifest.json").read_text())["parts"]
    parts[index] |= {"sha256": hash_file(path), "bytes": path.stat().st_size}
    edit_manifest(folder, parts=parts)


def test_inspect_counts_every_row(make_cache):
    found = inspect_cache(make_cache())
    labelled = sum(sum(classes.values()) for classes in found["rows_by_split"].values())
    assert (labelled + found["pool_rows"], found["pool_rows"]) == (25, sum(count_pool()))
    assert [*found["rows_by_split"]] == [*LABELLED_SPLITS]
    assert sum(found["confidence"]["rows"]) == 25
    assert len(found["confidence"]["edges"]) == len(found["confidence"]["rows"]) + 1
    assert found["identity"]["dtype"] == "float32"


def test_verify_knows_its_own_examples(make_cache):
    examples = make_examples()
    folder = make_cache(identity={"examples": fingerprint_examples(examples.to_batches())}, left_out=())
    assert verify_cache(folder, examples)["examples"] == "ok"
    texts = pa.array(["other", *examples["text"].to_pylist()[1:]])
    with pytest.raises(UserError, match="made from other examples: their fingerprint must be"):
        verify_cache(folder, examples.set_column(3, POOLED_EXAMPLES.field("text"), texts))


def test_verify_takes_out_of_the_examples_what_is_left_out(make_cache):
    examples = add_unanswered(make_examples())
    identity = {"examples": fingerprint_examples(examples.to_batches())}
    assert verify_cache(make_cache("one", identity=identity, left_out=LEFT_OUT[:1]), examples)["examples"] == "ok"
    with pytest.raises(UserError, match="the rows must be the examples"):
        verify_cache(make_cache("none", identity=identity, left_out=()), examples)
    with pytest.raises(UserError, match="left_out must name examples alone"):
        verify_cache(make_cache("two", identity=identity), examples)


def test_verify_compares_labels_and_splits(make_cache):
    examples = make_examples()
    other = pa.array([2 if label == 1 else label for label in examples["label"].to_pylist()], pa.int32())
    examples = examples.set_column(2, POOLED_EXAMPLES.field("label"), other)
    folder = make_cache(identity={"examples": fingerprint_examples(examples.to_batches())}, left_out=())
    with pytest.raises(UserError, match="must have their examples' splits and labels"):
        verify_cache(folder, examples)


def test_the_fingerprint_of_examples_does_not_see_batches():
    examples = make_examples()
    whole = fingerprint_examples(examples.to_batches())
    assert fingerprint_examples(examples.to_batches(max_chunksize=3)) == whole
    assert fingerprint_examples(examples.slice(1).to_batches()) != whole


def test_verify_finds_probabilities_that_are_not_the_logits(make_cache):
    folder = make_cache()
    rewrite(folder, 1, "probabilities", lambda p: p[:, ::-1])
    open_cache(folder, {}).read()  # the rows still sum to 1 and the checksums fit
    with pytest.raises(UserError, match=r"part-00001\.parquet: probabilities must be the logits' softmax"):
        verify_cache(folder, None)


def test_reading_refuses_rows_that_do_not_sum_to_one_and_logits_that_are_no_numbers(make_cache):
    folder = make_cache("sums")
    rewrite(folder, 0, "probabilities", lambda p: p * np.float32(1.01))
    with pytest.raises(UserError, match="probabilities must add up to 1"):
        open_cache(folder, {}).read()
    folder = make_cache("nan")
    rewrite(folder, 0, "logits", lambda x: np.where(x == x.max(), np.float32("nan"), x))
    with pytest.raises(UserError, match="logits be finite"):
        open_cache(folder, {}).read()


def test_a_cache_does_not_differ_from_itself(make_cache):
    folder = make_cache()
    found = diff_caches(folder, folder)
    assert found["identity"] == {}
    assert (found["agreement"], found["kl"], found["only_first"]) == (1.0, 0.0, 0)


def test_diff_names_fields_and_the_most_different_example(tmp_path, make_cache):
    first = make_cache()
    job = make_job(teacher="fool", identity={"base": "c" * 64, "dtype": "float32"})
    staging = Staging(job, tmp_path / "work" / "fool", MAKERS)
    for index in range(job.parts):
        columns = make_columns(job, index)
        if index == 1:
            logits = columns["logits"].flatten().to_numpy().reshape(-1, 3).copy()
            logits[4] = [9, 0, 0]
            p = np.exp(logits.astype(float))
            p = (p / p.sum(1, keepdims=True)).astype(np.float32)
            for name, matrix in (("logits", logits), ("probabilities", p)):
                columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), 3)
        staging.write_part(index, columns)
    staging.publish(tmp_path / "second", QUALITY, {})
    found = diff_caches(first, tmp_path / "second")
    assert found["identity"]["teacher"] == ["sage", "fool"]
    assert found["identity"]["identity.base"] == ["b" * 64, "c" * 64]
    worst = found["most_different"][0]
    assert worst["example_id"] == bytes([1, 4]).hex() * 8
    p, q = np.array(worst["first"]), np.array(worst["second"])
    assert worst["kl"] == pytest.approx((p * np.log(p / q)).sum(), rel=1e-5)
    assert found["kl"] == pytest.approx(worst["kl"] / 25, rel=1e-6)


def test_diff_refuses_other_classes_and_other_examples(make_cache):
    with pytest.raises(UserError, match="must have the same classes"):
        diff_caches(make_cache("a"), make_cache("b", labels=("dry", "wet", "hot")))


def test_the_commands_speak_to_people_and_to_scripts(make_cache, tmp_path):
    folder, runner = make_cache(), CliRunner()

    def call(*arguments):
        result = runner.invoke(cache, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert json.loads(call("inspect", folder, "--json"))["rows"] == 25
    assert f"pool_rows: {sum(count_pool())}\nleft_out: 2\n" in call("inspect", folder)
    assert "identity.dtype: float32" in call("inspect", folder, "--png", tmp_path / "cache.png")
    assert (tmp_path / "cache.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads(call("verify", folder, "--json"))["parts"] == 3
    assert "softmax: ok" in call("verify", folder)
    assert json.loads(call("diff", folder, folder, "--json"))["agreement"] == 1.0
    assert "agreement: 1" in call("diff", folder, folder)
