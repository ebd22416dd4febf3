"""The paper's scheme: integer-vector homomorphic encryption with key switching.

[ZW14] H. Zhou, G. Wornell, "Efficient homomorphic encryption on integer vectors and its applications", ITA 2014.
[YLP15] A. Yu, W. Lai, J. Payor, "Efficient integer vector homomorphic encryption", 2015.

Read in this order: `parameters` (what the letters are), `ciphertext` (additions), `keys` (key switching), `noise` (predicted),
`powers` and `products` (a tensor and its key switch), `packing` (small scores), `evaluator` (all operations), `storage` and
`factory` (keys and files).
"""

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.integer_vector import factory
from encnn.schemes.integer_vector.ciphertext import CiphertextArray, IntegerVectorContext
from encnn.schemes.integer_vector.evaluator import IntegerVectorEvaluator
from encnn.schemes.integer_vector.factory import make_keys
from encnn.schemes.integer_vector.keys import IntegerVectorSecretKey, IntegerVectorSwitchKey, PublicKey
from encnn.schemes.integer_vector.parameters import (
    ADDITIVE_128,
    COMPACT_128,
    MODULUS_TOY,
    PAPER,
    PAPER_BITS,
    PRESETS,
    IntegerVectorParameters,
    preset,
)

SCHEME = Scheme(
    IntegerVectorEvaluator.scheme,
    IntegerVectorParameters,
    make_keys,
    factory.restore_evaluator,
    factory.restore_secret_key,
    list(PRESETS.values()),
    [
        ComparedPreset("integer vectors, paper", PAPER, taylor(5)),
        ComparedPreset("integer vectors, 128 bits", COMPACT_128, ExactSigmoid()),
        ComparedPreset("integer vectors, paper", PAPER, taylor(1), hidden=True),
    ],
)

__all__ = [
    "SCHEME",
    "ADDITIVE_128",
    "COMPACT_128",
    "MODULUS_TOY",
    "PAPER",
    "PAPER_BITS",
    "PRESETS",
    "CiphertextArray",
    "IntegerVectorContext",
    "IntegerVectorEvaluator",
    "IntegerVectorParameters",
    "PublicKey",
    "IntegerVectorSecretKey",
    "IntegerVectorSwitchKey",
    "make_keys",
    "preset",
]
