"""LWE with programmable bootstrapping: training at 128 bits without the owner's help.

Scores and errors are the integer-vector ciphertexts of the paper, with S = [I, T]: LWE.  The new operation is the bootstrap.
It evaluates any function of one encrypted number by a look-up table and returns a fresh ciphertext.  Weights and labels are
many, so they are packed: a thousand of them are the coefficients of one ciphertext of polynomials.

Read in this order: `parameters`, `transform` (products of polynomials), `switching`, `rotation`, `tables`, `trace` (one
coefficient alone), `blocks` (packed numbers), `bootstrap` (all of it together), `noise` (predicted), `keys`, `evaluator`,
`storage`, `factory`.  `engine` chooses between numpy and the loops of `compiled` and `compiled_blocks`.
"""

from encnn.arithmetic.sigmoid import ExactSigmoid, taylor
from encnn.schemes.base import ComparedPreset, Scheme
from encnn.schemes.bootstrapped import factory
from encnn.schemes.bootstrapped.blocks import BlockArray
from encnn.schemes.bootstrapped.evaluator import BootstrappedEvaluator
from encnn.schemes.bootstrapped.factory import make_keys
from encnn.schemes.bootstrapped.keys import BootstrappedSecretKey
from encnn.schemes.bootstrapped.parameters import (
    BOOTSTRAP_TOY,
    HIDDEN_128,
    HIDDEN_SLOW_128,
    HIDDEN_TOY,
    LOGISTIC_PRESETS,
    ONE_LEVEL_128,
    PRESETS,
    TWO_LEVEL_128,
    BootstrappedParameters,
)
from encnn.schemes.bootstrapped.tables import make_table, read_table

KEYS = 5
"""Number of keys with which the comparison runs these presets, since each bootstrap adds noise to an update."""

SCHEME = Scheme(
    BootstrappedEvaluator.scheme,
    BootstrappedParameters,
    make_keys,
    factory.restore_evaluator,
    factory.restore_secret_key,
    list(PRESETS.values()),
    [
        ComparedPreset("bootstrapped, two levels", TWO_LEVEL_128, ExactSigmoid(), KEYS),
        ComparedPreset("bootstrapped", HIDDEN_SLOW_128, taylor(1), KEYS, hidden=True),
    ],
)

__all__ = [
    "SCHEME",
    "BOOTSTRAP_TOY",
    "HIDDEN_128",
    "HIDDEN_SLOW_128",
    "HIDDEN_TOY",
    "LOGISTIC_PRESETS",
    "ONE_LEVEL_128",
    "PRESETS",
    "TWO_LEVEL_128",
    "BootstrappedEvaluator",
    "BlockArray",
    "BootstrappedParameters",
    "BootstrappedSecretKey",
    "make_keys",
    "make_table",
    "read_table",
]
