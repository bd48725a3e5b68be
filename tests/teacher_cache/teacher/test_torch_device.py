"""A dtype that the processor has no instructions for is named before hours are spent in it."""

import pytest
import torch

from teacher_cache.teacher.torch_device import describe_slowness

SLOW = "this processor has no instructions for bfloat16, which takes several times as long as float32 here"


@pytest.mark.parametrize(
    ("has", "said"),
    [
        ({"architecture": "x86_64", "avx512_f": True, "avx512_bf16": False}, SLOW),
        ({"architecture": "x86_64", "avx512_bf16": True}, ""),
        ({"architecture": "x86_64", "amx_bf16": True}, ""),
        ({"architecture": "aarch64"}, ""),
    ],
)
def test_a_dtype_without_instructions_is_named(monkeypatch, has, said):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert describe_slowness("bfloat16") == said
    assert describe_slowness("float32") == ""


def test_a_torch_that_does_not_tell_is_not_guessed_for(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert describe_slowness("bfloat16") == ""


def test_on_a_gpu_nothing_is_slow(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert describe_slowness("float16") == ""
