"""The indistinguishability game: which of two known messages is in this ciphertext?

**Game.**  A bit b is drawn, the attacker gets an encryption of x_b, and guesses b from it and from public keys.
Its *advantage* |P(says "x_0" | b = 0) - P(says "x_0" | b = 1)| is 1 if it always knows b, and 0 if it only guesses.

**Deterministic encryption** c = M (w x)* loses every game: encrypt x_0 and compare.  **Fresh noise alone** c + e' changes
nothing, since two encryptions of one message stay within noise of each other, and those of two messages do not.  **An
encryption of zero** P r + e' moves c by an LWE sample, so c is then far from its old place.

**Needs** the public key.  **Works** on deterministic encryption under all parameters, the secure ones too.  **Fails** on
randomised encryption with a modulus.  Advantage 0 of *these* tests is no proof; that all tests fail is the LWE assumption.
Without a modulus the message can be read (`reads`), so randomising does not help.
"""

from collections.abc import Callable

import numpy as np

from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.attacks.reading import read_integers
from encnn.schemes.integer_vector import CiphertextArray, IntegerVectorEvaluator

Test = Callable[[CiphertextArray], np.ndarray]
"""Ciphertexts of shape (games, m) to truth values: is it x_0?"""


def advantage(
    encrypt: Callable[[np.ndarray], CiphertextArray],
    test: Test,
    x0: np.ndarray,
    x1: np.ndarray,
    games: int,
    rng: np.random.Generator,
) -> float:
    """Return the measured advantage of `test` in this many games; sampling alone gives about 1 / sqrt(games)."""
    b = rng.permutation(games) % 2
    says_x0 = test(encrypt(np.where(b[:, None] == 1, x1, x0)))
    return float(abs(says_x0[b == 0].mean() - says_x0[b == 1].mean()))


def near(evaluator: IntegerVectorEvaluator, x0: np.ndarray, distance: int = 0) -> Test:
    """Return the test that encrypts x_0 deterministically: is the ciphertext within `distance` in every entry?"""
    reference = evaluator.encrypt_deterministic(x0).data

    def test(c: CiphertextArray) -> np.ndarray:
        return (np.abs(centred(c.data - reference, evaluator.parameters.q_bits or 64)) <= distance).all(axis=-1)

    return test


def reads(x0: np.ndarray) -> Test:
    """Return the test that reads without a key: does the ciphertext show x_0?"""

    def test(c: CiphertextArray) -> np.ndarray:
        return (read_integers(c) == np.rint(np.asarray(x0) * c.scale)).all(axis=-1)

    return test


def encrypt_with_noise_only(evaluator: IntegerVectorEvaluator, v: np.ndarray, rng: np.random.Generator) -> CiphertextArray:
    """Return deterministic encryptions with fresh noise in every entry: a repair that does not help."""
    c, p = evaluator.encrypt_deterministic(v), evaluator.parameters
    randomness = Randomness(rng)
    noise = (
        randomness.gaussian(p.sigma, c.data.shape) if p.sigma else randomness.integers(-p.E_bound, p.E_bound + 1, c.data.shape)
    )
    added = p.key_row_bound * p.noise_bound
    return CiphertextArray(c.data + noise, c.context, c.scale, c.bound + p.noise_bound, c.value, c.noise + added)
