"""Bilinear maps: their functions, their matrices H, their names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encnn.schemes.bilinear import (
    elementwise,
    inner_product,
    outer,
    scalar_vector,
    vector_matrix,
    vector_transposed_matrix,
    weighted_inner_product,
)

SIZES = [1, 2, 3, 4]
MAPS = {
    "inner": lambda m, k: inner_product(m),
    "elementwise": lambda m, k: elementwise(m),
    "scalar": lambda m, k: scalar_vector(m),
    "outer": outer,
    "vector_matrix": vector_matrix,
    "transposed": vector_transposed_matrix,
    "weighted": lambda m, k: weighted_inner_product(np.arange(m * k).reshape(m, k) - 2),
}
PLAIN = {
    "inner": lambda x, y, m, k: [x @ y],
    "elementwise": lambda x, y, m, k: x * y,
    "scalar": lambda x, y, m, k: x[0] * y,
    "outer": lambda x, y, m, k: np.outer(x, y).ravel(),
    "vector_matrix": lambda x, y, m, k: x @ y.reshape(m, k),
    "transposed": lambda x, y, m, k: x @ y.reshape(m, k).T,
    "weighted": lambda x, y, m, k: [x @ (np.arange(m * k).reshape(m, k) - 2) @ y],
}
every_map = pytest.mark.parametrize("kind", MAPS)
every_size = pytest.mark.parametrize("m, k", [(m, k) for m in SIZES for k in SIZES])


def vectors(f, seed, *batch):
    rng = np.random.default_rng(seed)
    return rng.integers(-99, 100, (*batch, f.left)), rng.integers(-99, 100, (*batch, f.right))


@every_map
@every_size
def test_apply_is_the_plain_product(kind, m, k):
    f = MAPS[kind](m, k)
    x, y = vectors(f, m + k)
    found = f.apply(x, y)
    assert found.shape == (f.out,)
    assert np.array_equal(found, PLAIN[kind](x, y, m, k))


@every_map
@every_size
def test_apply_works_in_batches(kind, m, k):
    f = MAPS[kind](m, k)
    x, y = vectors(f, m * k, 3)
    found = f.apply(x, y)
    assert found.shape == (3, f.out)
    assert np.array_equal(found, [f.apply(a, b) for a, b in zip(x, y, strict=True)])
    assert np.array_equal(f.apply(x, y[0]), [f.apply(a, y[0]) for a in x])
    assert np.array_equal(f.apply(x[0], y), [f.apply(x[0], b) for b in y])


@every_map
@every_size
def test_matrices_represent_the_map(kind, m, k):
    f = MAPS[kind](m, k)
    H = f.matrices()
    assert H.shape == (f.out, f.left, f.right)
    x, y = vectors(f, 7)
    assert np.array_equal(np.einsum("a,kab,b->k", x, H, y), f.apply(x, y))


def test_names_differ_and_equal_maps_are_one():
    names = [f(m, k).name for f in MAPS.values() for m in (2, 3) for k in (4, 5)]
    distinct = {f(m, k) for f in MAPS.values() for m in (2, 3) for k in (4, 5)}
    assert len(set(names)) == len({(f.name, f.left, f.right, f.out) for f in distinct})
    assert outer(2, 3) is outer(2, 3) and outer(2, 3) != outer(3, 2)


@given(st.lists(st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3), min_size=1, max_size=4), st.integers(1, 9))
def test_weights_name_their_map(H, change):
    f, same, other = (weighted_inner_product(np.array(H) + c) for c in (0, 0, change))
    assert f == same and f.name == same.name and f.name != other.name
    assert np.array_equal(f.matrices()[0], H)


def test_weights_are_copied():
    H = np.eye(2, dtype=np.int64)
    f = weighted_inner_product(H)
    H[0, 0] = 5
    assert f.matrices().tolist() == [[[1, 0], [0, 1]]]
