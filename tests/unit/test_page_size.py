"""A page is as large as agreed in objects, and never much larger than agreed in bytes."""

from __future__ import annotations

import pytest

from vecferry.domain.objects import UNNAMED, StoredObject, size_bytes
from vecferry.steps.page_size import PAGE_BYTES, PageSize


def large(bytes_each: int, count: int) -> list[StoredObject]:
    return [StoredObject(f"{number}", {"blob": "x" * bytes_each}) for number in range(count)]


def test_an_objects_size_is_about_that_of_its_message() -> None:
    nested = {"place": {"city": "Rom", "floors": [1, 2]}, "tags": ["ab", "cd"], "n": 1, "none": None}
    found = size_bytes(StoredObject("id", nested, {UNNAMED: [0.0] * 1536, "picture": [0.0] * 10}))
    assert found == 4 * 1546 + len("placecityfloorstagsnnone") + len("Rom") + 16 + 4 + 8 + 8


def test_small_objects_come_in_pages_as_large_as_agreed() -> None:
    size = PageSize(250)
    assert size.keys < 250, "nothing is known of the first page's objects"
    size.seen(large(1_000, 64))
    assert size.keys == 250
    assert PageSize(2).keys == 2


def test_large_objects_come_in_pages_of_about_so_many_bytes() -> None:
    size = PageSize(250)
    size.seen(large(2**20, 4))
    assert size.keys == pytest.approx(PAGE_BYTES / 2**20, abs=1)
    size.seen(large(PAGE_BYTES * 3, 1))
    assert size.keys == 1
    size.seen(large(10, 1))
    assert size.keys == 250


def test_a_page_that_live_has_nothing_of_says_nothing() -> None:
    size = PageSize(250)
    size.seen(large(2**20, 4))
    before = size.keys
    size.seen([])
    assert size.keys == before < 250
