"""Lines come when they are there, from files and pipes, marked or not."""

import os
import threading

import pytest

from pipeline.commands.text_lines import BLOCK_BYTES, read_batches
from teacher_cache.errors import UserError


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, as `<(command)` gives one."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_slow_pipe_gives_each_line_before_the_next_one_is_written(pipe):
    asked = threading.Semaphore(1)

    def write():
        with pipe.open("wb", buffering=0) as stream:
            for number in range(3):
                assert asked.acquire(timeout=60)  # the answer to the last one has come
                stream.write(f"text {number}\n".encode())

    writer = threading.Thread(target=write)
    writer.start()
    found = []
    for batch in read_batches(pipe, 256):
        found.append(batch)
        asked.release()
    writer.join()
    assert found == [["text 0"], ["text 1"], ["text 2"]]


def test_what_is_there_comes_together_but_for_so_many_at_once(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(10)) + b"last")
    assert [len(batch) for batch in read_batches(path, 4)] == [4, 4, 2, 1]


def test_long_lines_and_cut_characters_are_whole(tmp_path):
    lines = ["\u00fc" * (BLOCK_BYTES - 1), "", "b", "\u00e4" * 7]
    path = tmp_path / "texts.txt"
    path.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    assert [line for batch in read_batches(path, 256) for line in batch] == lines


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbfwhat a lovely day\r\nwhat a lovely day\r\n")
    assert list(read_batches(path, 256)) == [["what a lovely day"] * 2]


def test_other_bytes_are_refused_with_their_line(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"a\nb\nna\xefve\n")
    with pytest.raises(UserError, match=r"texts.txt: line 3 must be UTF-8"):
        list(read_batches(path, 2))


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_cannot_be_read_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="--file must be a file or a pipe with one text a line"):
        list(read_batches(tmp_path / name, 2))
