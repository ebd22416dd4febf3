"""The cache folder: what goes in comes out, damage is not noticed by the user, and nothing half-written stays."""

import hashlib
import os
import pickle

import numpy as np
import pooch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.data.reviews import cache
from encnn.data.reviews.cache import cache_folder, load_arrays, pack_strings, save_arrays, unpack_strings

ARRAYS = {"a": np.arange(5), "b": np.array([[0.5, -1.0]]), "empty": np.zeros((0, 3), dtype=np.int8)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ENCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_folder_is_the_users_unless_told_otherwise(folder, monkeypatch):
    assert cache_folder() == folder
    monkeypatch.delenv("ENCNN_CACHE")
    assert cache_folder() == pooch.os_cache("encnn")


def test_arrays_come_back(folder):
    assert load_arrays("x.bin", ARRAYS) is None
    save_arrays("x.bin", ARRAYS)
    loaded = load_arrays("x.bin", ARRAYS)
    assert load_arrays("x.bin", ["a", "b"]) is None
    assert list(loaded) == list(ARRAYS)
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], values, strict=True)
    assert [path.name for path in folder.iterdir()] == ["x.bin"]


@given(st.lists(st.text()))
def test_strings_come_back(strings):
    packed = pack_strings(strings)
    assert packed.dtype == np.uint8
    assert unpack_strings(packed) == strings


def test_every_damaged_byte_is_found(folder):
    save_arrays("x.bin", {"a": np.arange(3)})
    good = (folder / "x.bin").read_bytes()
    for place in range(len(good)):
        (folder / "x.bin").write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert load_arrays("x.bin", "a") is None
    for size in range(len(good)):
        (folder / "x.bin").write_bytes(good[:size])
        assert load_arrays("x.bin", "a") is None


def test_an_entry_that_is_no_archive_is_not_there_even_if_its_digest_fits(folder):
    folder.mkdir()
    for content in (b"", b"PK\x03\x04", b"\x93NUMPY", b"text", pickle.dumps([1])):
        (folder / "x.bin").write_bytes(hashlib.sha256(content).digest() + content)
        assert load_arrays("x.bin", "a") is None


def test_a_cache_that_cannot_be_written_is_passed_over(folder):
    folder.write_text("a file where the folder should be")
    save_arrays("x.bin", ARRAYS)
    assert load_arrays("x.bin", ARRAYS) is None


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_broken_write_keeps_the_old_entry_and_leaves_nothing(folder, monkeypatch, error):
    save_arrays("x.bin", {"a": np.arange(3)})

    def fail(*_):
        raise error

    monkeypatch.setattr(cache.os, "replace", fail)
    if isinstance(error, OSError):
        save_arrays("x.bin", ARRAYS)
    else:
        with pytest.raises(KeyboardInterrupt):
            save_arrays("x.bin", ARRAYS)
    assert os.listdir(folder) == ["x.bin"]
    assert list(load_arrays("x.bin", "a")) == ["a"]
