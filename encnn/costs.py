"""What a set of parameters costs: bytes of everything that is stored or sent, CPU time of everything that is done.

With vectors of width m, n = m + d entries a ciphertext and l digits an entry, a key-switch key has n' columns for each of its
N l rows.  Additions and what is sent grow as d; a linear map switches N = n entries, so its key grows as d^2; a product of
two ciphertexts switches the n^2 entries of their tensor product, so its key and its time grow as

    n^2 l (m + d)  ~  l d^3.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from encnn.batches import OneReview
from encnn.protocol import Assistant, Request
from encnn.sampling import Randomness
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import MODULUS_TOY, CiphertextArray, Parameters, make_keys
from encnn.schemes.integer_vector.ring import ZeroStream, make_zero_key

KEY_ENTRY_BYTES = 8
WORDS = 100
"""Words of a review, about the mean of the real ones."""
BLOCK = 64


def sizes(p: Parameters, m: int = 1) -> dict[str, float]:
    """Return bytes of one ciphertext of width m, of what a seed leaves of it, and of keys.

    "product key" is that of an elementwise product, which no machine holds for large d: a formula, not a measurement.
    """
    n, entry = m + p.d, p.dtype.itemsize
    return {
        "ciphertext": n * entry,
        "ciphertext, seeded": m * entry,
        "public key, ring": m * p.d * KEY_ENTRY_BYTES + 16,
        "public key, matrix": n * p.d * KEY_ENTRY_BYTES,
        "linear map key": n * p.n_digits * n * KEY_ENTRY_BYTES,
        "product key": product_key_bytes(p, m),
    }


def product_key_bytes(p: Parameters, m: int = 1) -> float:
    """Return the bytes of the evaluation key of a product: n^2 l rows of n numbers."""
    n = m + p.d
    return float(n * n * p.n_digits * n * KEY_ENTRY_BYTES)


def addition_times(p: Parameters) -> dict[str, float]:
    """Return CPU microseconds of what assisted training does, for one output; with new keys."""
    secret, evaluator = make_keys(p, [1])
    randomness = Randomness()
    W = secret.encrypt(np.zeros((4 * WORDS, 1)))
    c, review = secret.encrypt(np.full((1, 1), 0.5)), OneReview(np.arange(0, 4 * WORDS, 4))
    zeros = ZeroStream(make_zero_key(secret, 1, randomness), p, randomness)
    return {
        "encrypt (owner)": _microseconds(lambda: secret.encrypt(np.zeros((BLOCK, 1))), 5) / BLOCK,
        "decrypt (owner)": _microseconds(lambda: secret.decrypt(c)),
        "answer (owner)": _answer_time(Assistant(secret), c),
        "add": _microseconds(lambda: c + c),
        "encryption of zero": _microseconds(lambda: zeros.take(1), 3 * p.d // 2),
        f"sum of {WORDS} rows": _microseconds(lambda: evaluator.gather(review, W)),
        f"update of {WORDS} rows": _microseconds(lambda: evaluator.scatter_subtract(W, review, c)),
    }


def product_costs(dimensions: Iterable[int], parameters: Parameters = MODULUS_TOY) -> pd.DataFrame:
    """Return what a product of two encrypted numbers costs as d grows: key in MB, CPU milliseconds, and those of a sum.

    Made and measured, so the dimensions must be such that this machine holds the keys.
    """
    lines = []
    for d in dimensions:
        p = parameters.updated(d=d)
        f = elementwise(1)
        secret, evaluator = make_keys(p, [1], [f])
        a = secret.encrypt(np.array([0.5]))
        product = _microseconds(lambda e=evaluator, x=a: e.multiply(x, x), 5) / 1e3  # type: ignore[misc]
        added = _microseconds(lambda x=a: x + x) / 1e3  # type: ignore[misc]
        lines.append((d, p.security.bits, evaluator.nbytes / 1e6, product, added))
    return pd.DataFrame(lines, columns=["d", "bits", "key MB", "product ms", "sum ms"])


def _answer_time(assistant: Assistant, c: CiphertextArray, repeats: int = 300) -> float:
    first = Request(1, 0.01, c, np.ones((1, 1), np.int8))
    for trip in range(1, repeats + 1):
        assistant.answer(replace(first, trip=trip))
    return 1e6 * assistant.tally.cpu_seconds / repeats


def _microseconds(action: Callable[[], object], repeats: int = 200) -> float:
    """Return the CPU microseconds of one call, the best of three series; the first call is not counted."""
    action()
    best = math.inf
    for _ in range(3):
        begun = time.process_time()
        for _ in range(repeats):
            action()
        best = min(best, time.process_time() - begun)
    return 1e6 * best / repeats
