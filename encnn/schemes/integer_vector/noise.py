"""Predicted noise: worst-case bounds that need no key, for every operation.

The noise of a ciphertext is e in S c = w x + e (+ q k), in units of the phase.  The bounds below always hold, not only on
average.  The owner, who can measure the noise, finds far less.  Letters: l digits of at most D each, N entries that are
switched, |T| and |E| the bounds of the parameters, K = 1 + d |T| the largest L1 norm of a row of S = [I, T].
"""

from encnn.schemes.integer_vector.ciphertext import CiphertextArray
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters


def key_switch(parameters: IntegerVectorParameters, entries: int) -> float:
    """Return N l D |E|, the bound on the noise |E c*| that a key switch of `entries` entries adds, equation (10)."""
    return entries * parameters.n_digits * parameters.digit_bound * parameters.noise_bound


def zero(parameters: IntegerVectorParameters, columns: int) -> float:
    """Return the noise of a public encryption of zero, P r + e': |E r| + |e'_top| + |T e'_mask|, r ternary."""
    return parameters.noise_bound * (columns + parameters.key_row_bound)


def product(parameters: IntegerVectorParameters, terms: int, a: CiphertextArray, b: CiphertextArray, divisor: float) -> float:
    """Return the noise of c1 (x) c2 / divisor under vec(S1^T H S2), before it is rounded and switched.

    Let u be the phase of 1.  Expanding (u1 v1 + e1)(u2 v2 + e2) / divisor leaves, for each of the `terms` products that H adds,

        (u1 |v1 e2| + u2 |v2 e1| + |e1 e2|) / divisor.

    With a modulus the phases also hold multiples k q, |k| <= K / 2 + 1, which add (q / divisor)(|k1 e2| + |k2 e1|).
    Rounding every entry by at most r then adds at most r times the L1 norm of vec(S1^T H S2).
    """
    crossed = a.unit * a.value * b.noise + b.unit * b.value * a.noise + a.noise * b.noise
    if parameters.q is not None:
        crossed += parameters.q * (parameters.key_row_bound / 2 + 1) * (a.noise + b.noise)
    return terms * crossed / abs(divisor)
