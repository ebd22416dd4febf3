"""Hostile arguments for one guard of compiled functions: python hostile_loops.py GUARD SEED CASES prints [accepted, refused].

Run by `test_compiled_guards` in a process of its own.  Only errors of the package may be raised.
"""

import json
import sys

import numpy as np

from encnn.arithmetic import row_sums
from encnn.errors import EncnnError
from encnn.schemes.bootstrapped import compiled, compiled_blocks
from encnn.schemes.integer_vector import compiled as vectors
from encnn.schemes.rings.ntt import transform
from encnn.schemes.rings.parameters import primes_of_bits
from encnn.schemes.rings.rns import base_conversion, ring

guard, seed, cases = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
BIG = np.array([-(2**62), -(2**31), -5, -1, 0, 1, 3, 7, 8, 9, 1000, 2**20, 2**31 - 1, 2**31, 2**62])
N, P = 64, primes_of_bits(64, (30, 30, 30))


def mutated(sizes):
    sizes = list(sizes)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        if sizes:
            sizes[rng.integers(len(sizes))] += int(rng.choice([-1, 1, -4, 4, 7]))
    return tuple(max(0, k) for k in sizes)


def rows():
    W = rng.integers(-9, 9, (8, 256)).astype(np.int64)
    count = int(rng.integers(0, 6))
    ends = np.sort(rng.integers(0, 12, count + 1))
    indices = rng.integers(0, 8, int(ends[-1]) if count else 0)
    ends[0] = 0
    for a in (indices, ends):
        if rng.random() < 0.5 and len(a):
            a[rng.integers(len(a))] = rng.choice(BIG)
    if rng.random() < 0.2:
        ends = ends[:-1] if rng.random() < 0.5 else np.append(ends, 99)
    return W, indices.astype(np.int64), ends.astype(np.int32)


def gather():
    W, indices, pointers = rows()
    found = row_sums.gather(W, indices, pointers)
    for r in range(len(pointers) - 1):
        assert np.array_equal(found[r], W[indices[pointers[r] : pointers[r + 1]]].sum(axis=0, dtype=W.dtype))


def scatter():
    W, indices, pointers = rows()
    G = rng.integers(-9, 9, mutated((max(len(pointers) - 1, 0), 256))).astype(W.dtype)
    V = W.copy()
    row_sums.scatter_subtract(W, indices, pointers, G)
    for r in range(len(G)):
        np.subtract.at(V, indices[pointers[r] : pointers[r + 1]], G[r])
    assert np.array_equal(V, W)


def ntt(inverse):
    t = transform(N, P)
    x = rng.integers(0, 2**29, mutated((2, 3, N))).astype(np.uint64)
    (t.inverse if inverse else t.forward)(x)


def products():
    sizes = mutated((int(rng.integers(1, 18)), 3, N))
    other = sizes if rng.random() < 0.5 else mutated(sizes)
    ring(N, P).sum_products(rng.integers(0, 9, sizes).astype(np.uint64), rng.integers(0, 9, other).astype(np.uint64))


def conversion():
    small, wide = ring(N, P[:2]), ring(N, P[2:])
    base_conversion(small, wide)(rng.integers(0, 9, mutated((2, N))).astype(np.uint64))


def rotate():
    n, levels, block = 4, int(rng.integers(1, 3)), int(rng.choice([1, 2, 4, 4, 3, 0, -1]))
    acc = np.zeros(mutated((2, 3, 1024)), rng.choice([np.int32, np.int32, np.int64]))
    exponents = rng.choice(BIG, mutated((2, n)))
    key = np.zeros(mutated((n // max(1, block), 64, 3, levels, max(1, block), 3, 2, 8)))
    compiled.blind_rotate(acc, exponents, key, block, int(rng.choice([8, 8, 8, 31, 0, -3, 99])), levels)


def switch():
    d, levels, n = int(rng.choice([8, 8, 8, 6])), int(rng.integers(1, 4)), 5
    c = rng.integers(-9, 9, mutated((3, 1 + d))).astype(rng.choice([np.int32, np.int32, np.int64]))
    key = rng.integers(-9, 9, mutated((d, levels, 1 + n))).astype(np.int32)
    out = np.zeros(mutated((3, 1 + n)), np.int32)
    compiled.switch_key(c, key, int(rng.choice([4, 4, 4, 31, 0, -1])), levels, out)


def places():
    count = int(rng.integers(0, 4))
    pointers = np.sort(rng.integers(0, 6, count + 1)).astype(np.int32)
    pointers[0] = 0
    named = rng.integers(0, 2048, int(pointers[-1]))
    for a in (named, pointers):
        if rng.random() < 0.3 and len(a):
            a[rng.integers(len(a))] = rng.choice(BIG[(BIG >= -(2**31)) & (BIG < 2**31)])
    factors = np.ones(mutated(named.shape), np.int32)
    return np.zeros(mutated((2, 3, 1024)), np.int32), named, pointers, factors, np.zeros(mutated((count, 3, 1024)), np.int32)


def trace():
    levels = int(rng.integers(1, 3))
    acc = np.zeros(mutated((2, 3, 1024)), rng.choice([np.int32, np.int32, np.int64]))
    compiled_blocks.trace(acc, np.zeros(mutated((10, 2, levels, 3, 1024))), 8)


def join():
    key = np.zeros(mutated((2, int(rng.integers(1, 3)), 3, 1024)))
    half, step = int(rng.choice([1, 1, 2, 512, 0, -1, 1024, 2**40])), int(rng.choice([0, 3, 9, 10, -1, 2**31]))
    compiled_blocks.join(np.zeros(mutated((2, 3, 1024))), half, step, key, 8)


def product():
    n_1, n_2 = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    left, right = (rng.choice(BIG, mutated((int(rng.choice([1, 3])), n))) for n in (n_1, n_2))
    key = rng.choice(BIG, mutated((2, 8, n_1 * n_2)))
    vectors.product(
        left, right, float(rng.choice([0.0, 1.0, -7.5, 2.0**35, np.nan])), key, int(rng.choice([8, 8, 32, 0, -1, 99]))
    )


def polynomial():
    n, count = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    indices = rng.integers(0, n + 1, (count, 3))
    if rng.random() < 0.3:
        indices.flat[rng.integers(indices.size)] = rng.choice(BIG)
    sizes = [np.ones(mutated((count,))) for _ in range(2)]
    key = rng.choice(BIG, mutated((2, 8, count)))
    vectors.polynomial(rng.choice(BIG, mutated((3, n))), float(rng.choice([0.0, 1.0, 2.0**35])), (indices, *sizes), key, 8)


run = {
    "integer_vector.compiled.product": product,
    "integer_vector.compiled.polynomial": polynomial,
    "compiled_blocks.gather": lambda: compiled_blocks.gather(*places(), int(rng.choice([1, 1, 1, 8, 0, -1, 1025, 2**40]))),
    "compiled_blocks.scatter_subtract": lambda: compiled_blocks.scatter_subtract(*places()),
    "compiled_blocks.trace": trace,
    "compiled_blocks.join": join,
    "row_sums.gather": gather,
    "row_sums.scatter_subtract": scatter,
    "ntt.Transform.forward": lambda: ntt(False),
    "ntt.Transform.inverse": lambda: ntt(True),
    "rns.Ring.sum_products": products,
    "rns.BaseConversion.__call__": conversion,
    "compiled.blind_rotate": rotate,
    "compiled.switch_key": switch,
}[guard]
accepted = refused = 0
for _ in range(cases):
    try:
        run()
        accepted += 1
    except EncnnError:
        refused += 1
print(json.dumps([accepted, refused]))
