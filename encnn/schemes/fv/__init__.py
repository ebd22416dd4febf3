"""FV, or BFV: encryption of polynomials over Z_t under ring LWE, with exact products by rounding at scale t / q.

[FV12] J. Fan, F. Vercauteren, "Somewhat practical fully homomorphic encryption", ePrint 2012/144.

Read in this order: `encnn.schemes.encoders` (numbers as polynomials), `encnn.schemes.rings` (the ring, arrays, key switching),
and here `parameters`, `noise` (predicted), `keys`, `evaluator`.  `seal` is another implementation, to compare with.
"""

from encnn.schemes.fv.evaluator import FVEvaluator
from encnn.schemes.fv.keys import SecretKey
from encnn.schemes.fv.parameters import (
    ADDITIVE_128,
    DEPTH_128,
    FRACTIONAL_128,
    FRACTIONAL_LONG_128,
    NETWORK_128,
    PRESETS,
    TOY,
    Parameters,
    preset,
)
from encnn.schemes.rings.factory import Factory

factory = Factory(Parameters, SecretKey, FVEvaluator)
make_keys = factory.make_keys

__all__ = [
    "ADDITIVE_128",
    "DEPTH_128",
    "FRACTIONAL_128",
    "FRACTIONAL_LONG_128",
    "NETWORK_128",
    "PRESETS",
    "TOY",
    "FVEvaluator",
    "Parameters",
    "SecretKey",
    "factory",
    "make_keys",
    "preset",
]
