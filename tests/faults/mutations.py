"""Ways to damage a file: at random, and with knowledge of its format.

In: bytes, JSON, tensors.  Out: damage_bytes(), forge_json(), forge_tensors().  Imports: hypothesis, safetensors.
"""

import copy
import json
import struct
from typing import Any

import numpy as np
import safetensors.numpy
from hypothesis import strategies as st


def nest(levels: int) -> Any:
    """A list in a list in a list ..."""
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


# What a field may be forged to: counts that no memory holds, wrong types, paths, text that is none, depth.
VALUES = st.one_of(
    st.sampled_from([-1, 0, 1, 2**20, 2**31, 10**12, 2**47, 2**63, 1e308, 1e-308, float("nan"), float("inf")]),
    st.sampled_from([True, None, "", [], {}, [[]], {"": {}}, "../../escape", "/tmp/escape", "\ud800", "\0", "0" * 64]),
    st.integers(),
    st.text(max_size=8),
    st.sampled_from([3, 40]).map(nest),
)
TYPES = ["float16", "float32", "float64", "int8", "int64", "bool"]


@st.composite
def damage_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` cut, lengthened, or with up to four bytes changed, those at its ends more often than others."""
    kind = draw(st.sampled_from(["cut", "append", "change", "change", "change"]))
    if kind == "cut":
        return data[: draw(st.integers(0, len(data) - 1))]
    if kind == "append":
        return data + draw(st.binary(min_size=1, max_size=16))
    damaged = bytearray(data)
    near = st.integers(0, min(200, len(data)) - 1)
    places = st.integers(0, len(data) - 1) | near | near.map(lambda place: -1 - place)
    for place in draw(st.lists(places, min_size=1, max_size=4)):
        damaged[place] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    return bytes(damaged)


@st.composite
def forge_json(draw: st.DrawFn, content: dict[str, Any]) -> dict[str, Any]:
    """`content` with one to three values changed, removed or added, at any depth."""
    forged = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        node = forged
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and draw(st.booleans()):
                node = node[key]
                continue
            change = draw(st.sampled_from(["put", "put", "put", "remove", "add"]))
            if change == "put":
                node[key] = draw(VALUES)
            elif change == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.text(max_size=8))] = draw(VALUES)
            else:
                node.append(draw(VALUES | st.just(node[key])))
            break
    return forged


@st.composite
def forge_tensors(draw: st.DrawFn, data: bytes) -> bytes:
    """A safetensors file with a tensor of another shape, type, name or value; or with a header that lies."""
    if draw(st.booleans()):
        size = struct.unpack("<Q", data[:8])[0]
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        if draw(st.booleans()):
            text = json.dumps(draw(forge_json(header))).encode()
            return struct.pack("<Q", len(text)) + text + body
        return struct.pack("<Q", draw(st.sampled_from([0, size - 1, size + 1, 2**31, 2**62, 2**64 - 1]))) + data[8:]
    tensors = safetensors.numpy.load(data)
    name = draw(st.sampled_from(sorted(tensors)))
    array = tensors.pop(name)
    change = draw(st.sampled_from(["cut", "flat", "type", "nan", "name", "remove", "zero"]))
    if change == "cut":
        array = array[:-1]
    elif change == "flat":
        array = array.reshape(-1)
    elif change == "type":
        array = array.astype(draw(st.sampled_from(TYPES)))
    elif change == "nan":
        array = np.full_like(array, np.nan if np.issubdtype(array.dtype, np.floating) else 1)
    elif change == "zero":
        array = array[..., :0]
    if change != "remove":
        tensors[name + "x" if change == "name" else name] = array
    return safetensors.numpy.save({key: np.ascontiguousarray(value) for key, value in tensors.items()})
