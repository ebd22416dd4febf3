"""FV, also called BFV: it encrypts polynomials over Z_t under ring LWE and rounds products at scale t / q, exactly.

[FV12] J. Fan, F. Vercauteren, "Somewhat practical fully homomorphic encryption", ePrint 2012/144.

Read in this order: `encnn.schemes.encoders` (numbers as polynomials), `encnn.schemes.rings` (the ring, arrays, key switching),
and then from this folder `parameters`, `noise` (predicted), `keys` and `evaluator`.  `seal` calls another implementation, with
which tests compare this one.
"""

from encnn.arithmetic.sigmoid import taylor
from encnn.schemes.base import ComparedPreset
from encnn.schemes.fv.evaluator import FVEvaluator
from encnn.schemes.fv.keys import FVSecretKey
from encnn.schemes.fv.parameters import (
    ADDITIVE_128,
    DEPTH_128,
    FRACTIONAL_128,
    FRACTIONAL_LONG_128,
    HIDDEN_128,
    NETWORK_128,
    PRESETS,
    TOY,
    FVParameters,
    preset,
)
from encnn.schemes.rings.factory import Factory

factory = Factory(FVParameters, FVSecretKey, FVEvaluator)
make_keys = factory.make_keys

SCHEME = factory.scheme(
    PRESETS,
    [
        ComparedPreset("FV, fixed point", ADDITIVE_128, taylor(1)),
        ComparedPreset("FV, fractional", FRACTIONAL_128, taylor(1)),
        ComparedPreset("FV, slots", HIDDEN_128, taylor(1), hidden=True),
    ],
)

__all__ = [
    "SCHEME",
    "ADDITIVE_128",
    "DEPTH_128",
    "FRACTIONAL_128",
    "FRACTIONAL_LONG_128",
    "HIDDEN_128",
    "NETWORK_128",
    "PRESETS",
    "TOY",
    "FVEvaluator",
    "FVParameters",
    "FVSecretKey",
    "factory",
    "make_keys",
    "preset",
]
