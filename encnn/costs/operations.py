"""CPU time of the operations of assisted training, and of products of ciphertexts in small dimensions.

`costs.by_dimension` has the sizes of keys and ciphertexts, and the time per ciphertext, over d.  This module measures the
operations of one trip of `parties.assistance.scores`, above all the sums over a review's words.  It also makes and measures
products, up to dimensions d whose keys, which grow as d^3, fit into memory.
"""

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from encnn.arithmetic.sampling import Randomness
from encnn.costs.timing import best_cpu_seconds
from encnn.data.batches import OneReview
from encnn.parties.assistance.scores import Assistant, Request
from encnn.schemes.bilinear import elementwise
from encnn.schemes.integer_vector import MODULUS_TOY, CiphertextArray, IntegerVectorParameters, make_keys
from encnn.schemes.integer_vector.ring import SAMPLES, ZeroStream, make_zero_key

WORDS = 100
"""How many words a review has, which is about the mean of the real reviews."""
BLOCK = 64


def addition_times(p: IntegerVectorParameters) -> dict[str, float]:
    """Return CPU microseconds of each operation of assisted training, for one output, under new keys."""
    secret, evaluator = make_keys(p, [1])
    W = secret.encrypt(np.zeros((4 * WORDS, 1)))
    c, review = secret.encrypt(np.full((1, 1), 0.5)), OneReview(np.arange(0, 4 * WORDS, 4))
    zeros = ZeroStream(make_zero_key(secret, 1, Randomness(), SAMPLES), p, Randomness.in_bulk())
    return {
        "encrypt (owner)": _microseconds(secret.encrypt, np.zeros((BLOCK, 1)), calls=5) / BLOCK,
        "decrypt (owner)": _microseconds(secret.decrypt, c),
        "answer (owner)": _answer_time(Assistant(secret), c),
        "add": _microseconds(operator.add, c, c),
        "encryption of zero": _microseconds(zeros.take, 1, calls=3 * p.d // 2),
        f"sum of {WORDS} rows": _microseconds(evaluator.gather, review, W),
        f"update of {WORDS} rows": _microseconds(evaluator.scatter_subtract, W, review, c),
    }


def product_costs(dimensions: Iterable[int]) -> pd.DataFrame:
    """Return the cost of a product of two encrypted numbers as d grows: key in MB and CPU milliseconds, beside those of a sum.

    The keys are really made, so they must fit into the memory of this machine.
    """
    lines = []
    for d in dimensions:
        p = MODULUS_TOY.updated(d=d)
        f = elementwise(1)
        secret, evaluator = make_keys(p, [1], [f])
        a = secret.encrypt(np.array([0.5]))
        product = 1e3 * best_cpu_seconds(evaluator.multiply, a, a, calls=5, runs=3)
        added = 1e-3 * _microseconds(operator.add, a, a)
        lines.append((d, p.security.bits, evaluator.nbytes / 1e6, product, added))
    return pd.DataFrame(lines, columns=["d", "bits", "key MB", "product ms", "sum ms"])


def _answer_time(assistant: Assistant, c: CiphertextArray) -> float:
    repeats = 300
    first = Request(1, 0.01, c, np.ones((1, 1), np.int8))
    for trip in range(1, repeats + 1):
        assistant.answer(replace(first, trip=trip))
    return 1e6 * assistant.tally.cpu_seconds / repeats


def _microseconds(action: Callable[..., object], *arguments: object, calls: int = 200) -> float:
    return 1e6 * best_cpu_seconds(action, *arguments, calls=calls, runs=3)
