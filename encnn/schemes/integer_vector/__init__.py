"""The paper's scheme: integer-vector homomorphic encryption with key switching.

[ZW14] H. Zhou, G. Wornell, "Efficient homomorphic encryption on integer vectors and its applications", ITA 2014.
[YLP15] A. Yu, W. Lai, J. Payor, "Efficient integer vector homomorphic encryption", 2015.

Read in this order: `parameters` (what the letters are), `ciphertext` (additions), `keys` (key switching), `noise` (predicted),
`evaluator` (products), `storage` and `factory` (making keys, files).
"""

from encnn.schemes.integer_vector.ciphertext import CiphertextArray, Context
from encnn.schemes.integer_vector.evaluator import IntegerVectorEvaluator
from encnn.schemes.integer_vector.factory import make_keys
from encnn.schemes.integer_vector.keys import PublicKey, SecretKey, SwitchKey
from encnn.schemes.integer_vector.parameters import (
    ADDITIVE_128,
    COMPACT_128,
    MODULUS_TOY,
    PAPER,
    PAPER_BITS,
    PRESETS,
    Parameters,
    preset,
)

__all__ = [
    "ADDITIVE_128",
    "COMPACT_128",
    "MODULUS_TOY",
    "PAPER",
    "PAPER_BITS",
    "PRESETS",
    "CiphertextArray",
    "Context",
    "IntegerVectorEvaluator",
    "Parameters",
    "PublicKey",
    "SecretKey",
    "SwitchKey",
    "make_keys",
    "preset",
]
