"""A vector as the store sends it is the sequence of its numbers, to everybody who looks at it."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from vecferry.adapters.weaviate.batch_message import batch_message
from vecferry.adapters.weaviate.objects import as_float32, to_float32_bytes
from vecferry.domain.objects import UNNAMED, StoredObject, content_hash
from vecferry.domain.packed_vector import PackedVector
from vecferry.errors import BadInput

NUMBERS = tuple(np.asarray([0.1, -1.0, 3.4e38, 1e-45, 0.0], dtype=np.float32).tolist())
PACKED = PackedVector(np.asarray(NUMBERS, dtype="<f4").tobytes())


def test_it_is_the_sequence_of_its_numbers() -> None:
    assert PACKED == NUMBERS
    assert NUMBERS == PACKED
    assert list(NUMBERS) == PACKED
    assert PackedVector(bytes(PACKED.content)) == PACKED
    assert hash(PACKED) == hash(NUMBERS)
    assert NUMBERS[:-1] != PACKED
    assert (*NUMBERS[:-1], 1.0) != PACKED
    assert PACKED != "abcde"
    assert (len(PACKED), PACKED[0], PACKED[1:3], list(PACKED)) == (5, NUMBERS[0], NUMBERS[1:3], list(NUMBERS))
    assert json.dumps(list(PACKED)) == json.dumps(list(NUMBERS))
    assert repr(PACKED) == repr(NUMBERS)
    assert pickle.loads(pickle.dumps(PACKED)) == copy.deepcopy(PACKED) == NUMBERS
    assert not PackedVector(b"")
    assert PACKED
    assert (PACKED[-1], PACKED[-5]) == (NUMBERS[-1], NUMBERS[-5])
    for place in (5, -6):
        with pytest.raises(IndexError):
            PACKED[place]


def test_numpy_takes_it_as_it_is() -> None:
    assert np.asarray(PACKED, dtype="<f4").tobytes() == PACKED.content
    assert np.asarray(PACKED, dtype=np.float64).tolist() == list(NUMBERS)
    assert np.asarray([PACKED, PACKED]).shape == (2, 5)


def test_hash_and_message_are_those_of_the_numbers() -> None:
    by_numbers, by_bytes = (StoredObject("a" * 32, {"a": "b"}, {UNNAMED: v, "other": v}) for v in (NUMBERS, PACKED))
    assert by_numbers == by_bytes
    assert content_hash(by_numbers, ("other",)) == content_hash(by_bytes, ("other",)) != content_hash(by_bytes)
    assert batch_message("Docs", [by_numbers]) == batch_message("Docs", [by_bytes]) is not None
    assert to_float32_bytes(NUMBERS) == to_float32_bytes(PACKED) == PACKED.content


def test_rest_reads_the_same_and_refuses_a_vector_of_vectors() -> None:
    assert (
        as_float32([0.1, -1], "")
        == as_float32([0.10000000149011612, -1.0], "")
        == PackedVector(b"\xcd\xcc\xcc=\x00\x00\x80\xbf")
    )
    with pytest.raises(BadInput, match="multi-vectors"):
        as_float32([[1.0]], "named")  # type: ignore[list-item]


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 1e39], ids=str)
def test_a_packed_vector_that_is_none_is_left_for_json_to_refuse(number: float) -> None:
    with np.errstate(over="ignore"):
        broken = PackedVector(np.asarray([1.0, number], dtype="<f4").tobytes())
    assert batch_message("Docs", [StoredObject("a" * 32, {}, {UNNAMED: broken})]) is None
    assert batch_message("Docs", [StoredObject("a" * 32, {}, {UNNAMED: (1.0, number)})]) is None


def test_an_objects_hash_is_its_own_however_often_it_is_asked_for() -> None:
    one = StoredObject("a" * 32, {"a": "b"}, {"carried": (1.0,)})
    assert content_hash(one) == content_hash(one) == content_hash(StoredObject("b" * 32, {"a": "b"}))
    assert content_hash(one, ("carried", "none")) == content_hash(one, ("none", "carried")) != content_hash(one)
