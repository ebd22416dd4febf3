"""YASHE: encryption of polynomials over Z_t under NTRU, with one polynomial a ciphertext; and why it is no longer used.

[BLLN13] J. Bos, K. Lauter, J. Loftus, M. Naehrig, "Improved security for a ring-based fully homomorphic encryption scheme",
IMA International Conference on Cryptography and Coding 2013, ePrint 2013/075.

Read after `fv`, with which it shares the ring, arrays, encoders and key switching: `parameters`, `noise` (predicted), `keys`,
`evaluator`; and `encnn.security.overstretched`, the attacks.
"""

from encnn.arithmetic.sigmoid import taylor
from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.rings.factory import Factory
from encnn.schemes.yashe.evaluator import YASHEEvaluator
from encnn.schemes.yashe.keys import YASHESecretKey
from encnn.schemes.yashe.parameters import (
    ADDITIVE_128,
    DEEP,
    DEPTH_128,
    FRACTIONAL_128,
    PRESETS,
    TOY,
    YASHEParameters,
    preset,
)

factory = Factory(YASHEParameters, YASHESecretKey, YASHEEvaluator)
make_keys = factory.make_keys

SCHEME = Scheme(
    YASHEEvaluator.scheme,
    YASHEParameters,
    make_keys,
    factory.restore_evaluator,
    factory.restore_secret_key,
    list(PRESETS.values()),
    [
        ComparedPreset("YASHE, fixed point", ADDITIVE_128, taylor(1)),
        ComparedPreset("YASHE, fractional", FRACTIONAL_128, taylor(1)),
    ],
)

__all__ = [
    "SCHEME",
    "ADDITIVE_128",
    "DEEP",
    "DEPTH_128",
    "FRACTIONAL_128",
    "PRESETS",
    "TOY",
    "YASHEParameters",
    "YASHESecretKey",
    "YASHEEvaluator",
    "factory",
    "make_keys",
    "preset",
]
