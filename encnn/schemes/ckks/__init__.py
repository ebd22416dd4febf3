"""CKKS: approximate arithmetic on packed real numbers, through Microsoft SEAL.

[CKKS17] J. H. Cheon, A. Kim, M. Kim, Y. Song, "Homomorphic encryption for arithmetic of approximate numbers", ASIACRYPT 2017.
[CHKKS18] Cheon, Han, Kim, Kim, Song, "A full RNS variant of approximate homomorphic encryption", SAC 2018; as in SEAL.

Real numbers need no scaling factor of ours: rescaling divides it away after every product.  Read in this order: `parameters`,
`seal` (the library), `packing` (which number is in which slot), `ciphertext` (additions), `keys` (the owner), `evaluator`
(products with features and ciphertexts), `storage` and `factory`.
"""

from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.ckks import factory
from encnn.schemes.ckks.ciphertext import CKKSContext, PackedArray
from encnn.schemes.ckks.evaluator import CKKSEvaluator, polynomial_depth
from encnn.schemes.ckks.factory import make_keys, make_mirror_keys
from encnn.schemes.ckks.keys import CKKSSecretKey
from encnn.schemes.ckks.parameters import (
    HIDDEN_128,
    LOGISTIC_128,
    PRESETS,
    TOY,
    UNASSISTED_128,
    CKKSParameters,
    preset,
)

SCHEME = Scheme(
    CKKSEvaluator.scheme,
    CKKSParameters,
    make_keys,
    factory.restore_evaluator,
    factory.restore_secret_key,
    list(PRESETS.values()),
    [ComparedPreset("CKKS", LOGISTIC_128, None), ComparedPreset("CKKS", HIDDEN_128, None, hidden=True)],
)

__all__ = [
    "SCHEME",
    "HIDDEN_128",
    "LOGISTIC_128",
    "PRESETS",
    "TOY",
    "UNASSISTED_128",
    "CKKSEvaluator",
    "CKKSContext",
    "PackedArray",
    "CKKSParameters",
    "CKKSSecretKey",
    "make_keys",
    "make_mirror_keys",
    "polynomial_depth",
    "preset",
]
