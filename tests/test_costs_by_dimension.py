"""The table of costs: every number of bytes is that of arrays which exist, at dimensions small enough to make them."""

from typing import Any

import numpy as np
import pytest

from encnn.costs import by_dimension as c
from encnn.errors import ParameterError
from encnn.schemes.integer_vector import ADDITIVE_128, COMPACT_128, PAPER, make_keys
from encnn.security.estimate import estimate

LIKES = pytest.mark.parametrize("like", [COMPACT_128, ADDITIVE_128], ids=lambda p: p.name)


@LIKES
@pytest.mark.parametrize("d", [1, 7, 24])
@pytest.mark.parametrize("m", [1, 3])
def test_bytes_are_those_of_the_arrays(like: Any, d: int, m: int) -> None:
    p = c.at_dimension(d, like).updated(w_bits=10, scale=1)  # noise needs room at products
    secret, evaluator = make_keys(p, [m, 2], [c.SCALAR_PRODUCT, c.VECTOR_MATRIX], np.random.default_rng(0), [m])
    assert c.ciphertext_bytes(p, m) == secret.encrypt(np.zeros((1, m))).nbytes
    public = evaluator.public_keys[m]
    assert c.public_key_bytes(p, m) == public.switch.M_transposed.nbytes + public.zeros.nbytes
    for f in (c.SCALAR_PRODUCT, c.VECTOR_MATRIX):
        assert c.product_key_bytes(p, f) == evaluator.products[f.name].M_transposed.nbytes


@LIKES
def test_the_table_holds_these_bytes_and_the_estimate(like: Any) -> None:
    table = c.costs([16, like.d], like)
    assert list(table.index) == [16, like.d]
    assert (table["log2 q"] == like.q_bits).all()
    assert table.loc[like.d, "bits"] == round(estimate(like.d, like.q_bits, like.sigma).bits, 1) >= 128
    assert table.loc[like.d, "decided by"] == "refined dual hybrid, MATZOV"
    assert table.loc[16, "bits (core-SVP)"] < 80
    assert table.loc[like.d, "ciphertext bytes"] == c.ciphertext_bytes(like)
    assert table.loc[16, "scalar product key bytes"] == 8 * 17**3 * like.n_digits


def test_key_sizes_grow_as_the_cube() -> None:
    table = c.costs([1024, 2048])
    for column in ("scalar product key bytes", "vector-matrix 8x1 key bytes"):
        assert 7.9 < table.loc[2048, column] / table.loc[1024, column] < 8


@pytest.mark.parametrize("memory", [0, 1, 2**20, 16 * 2**30])
def test_the_largest_dimension_is_the_last_that_fits(memory: int) -> None:
    d = c.largest_dimension(memory, COMPACT_128, c.VECTOR_MATRIX)
    assert d == 0 or c.product_key_bytes(c.at_dimension(d), c.VECTOR_MATRIX) <= memory
    assert c.product_key_bytes(c.at_dimension(d + 1), c.VECTOR_MATRIX) > memory


def test_a_usual_memory_does_not_hold_a_secure_product() -> None:
    memory = 16 * 2**30
    sentence = c.summary(memory)
    assert f"up to d = {c.largest_dimension(memory)};" in sentence
    assert "128 bits at log2 q = 64 take d = " in sentence


def test_names_say_what_a_dimension_protects() -> None:
    assert c.at_dimension(16).name == "compact-128-d16-INSECURE"
    assert c.at_dimension(2048).name == "compact-128-d2048"
    assert c.at_dimension(900).name == "compact-128-d900-114-bits"
    assert c.at_dimension(2048, c.at_dimension(900)).name == "compact-128-d900-d2048"
    assert c.at_dimension(2048, c.at_dimension(16)).name == "compact-128-d16-d2048"


def test_without_a_modulus_there_is_no_table() -> None:
    with pytest.raises(ParameterError, match="no dimension makes it secure"):
        c.costs(like=PAPER)
