"""YASHE encrypts polynomials over Z_t under NTRU, one polynomial per ciphertext; this folder shows why it fell out of use.

[BLLN13] J. Bos, K. Lauter, J. Loftus, M. Naehrig, "Improved security for a ring-based fully homomorphic encryption scheme",
IMA International Conference on Cryptography and Coding 2013, ePrint 2013/075.

Read `fv` first, with which it shares the ring, arrays, encoders and key switching.  Then read `parameters`, `noise`
(predicted), `keys` and `evaluator`, and `encnn.security.overstretched` about the attacks.
"""

from encnn.arithmetic.sigmoid import taylor
from encnn.schemes.base import ComparedPreset
from encnn.schemes.rings.factory import Factory
from encnn.schemes.yashe.evaluator import YASHEEvaluator
from encnn.schemes.yashe.keys import YASHESecretKey
from encnn.schemes.yashe.parameters import (
    ADDITIVE_128,
    DEEP,
    DEPTH_128,
    FRACTIONAL_128,
    HIDDEN,
    PRESETS,
    TOY,
    YASHEParameters,
    preset,
)

factory = Factory(YASHEParameters, YASHESecretKey, YASHEEvaluator)
make_keys = factory.make_keys

SCHEME = factory.scheme(
    PRESETS,
    [
        ComparedPreset("YASHE, fixed point", ADDITIVE_128, taylor(1)),
        ComparedPreset("YASHE, fractional", FRACTIONAL_128, taylor(1)),
        ComparedPreset("YASHE, slots", HIDDEN, taylor(1), hidden=True),
    ],
)

__all__ = [
    "SCHEME",
    "ADDITIVE_128",
    "DEEP",
    "DEPTH_128",
    "FRACTIONAL_128",
    "HIDDEN",
    "PRESETS",
    "TOY",
    "YASHEParameters",
    "YASHESecretKey",
    "YASHEEvaluator",
    "factory",
    "make_keys",
    "preset",
]
