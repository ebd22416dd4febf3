"""The equations of the integer-vector scheme once more, in Python integers that cannot wrap: the oracle of its tests."""

from fractions import Fraction

import numpy as np

from encnn.schemes.integer_vector import (
    CiphertextArray,
    IntegerVectorEvaluator,
    IntegerVectorParameters,
    IntegerVectorSecretKey,
)


def digits(c, base_bits, n_digits, balanced):
    """Equation (4), one digit after the other from the lowest; most significant first."""
    B, rest, sign = 1 << base_bits, int(c), 1
    if not balanced:
        rest, sign = abs(rest), -1 if rest < 0 else 1
    found = []
    for _ in range(n_digits):
        d = rest % B
        if balanced and d >= B // 2:
            d -= B
        rest = (rest - d) // B
        found.append(sign * d)
    return found[::-1]


def centre(number, q):
    return number if q is None else (number + q // 2) % q - q // 2


def switch(M, c, p: IntegerVectorParameters):
    """Equation (9) modulo q, or in the integers."""
    c_star = [d for entry in c for d in digits(entry, p.base_bits, p.n_digits, p.balanced)]
    return [centre(sum(int(m) * d for m, d in zip(row, c_star, strict=True)), p.q) for row in M]


def dot(S, c, p: IntegerVectorParameters):
    return [centre(sum(int(s) * int(x) for s, x in zip(row, c, strict=True)), p.q) for row in S]


def phase(secret: IntegerVectorSecretKey, c: CiphertextArray):
    """S c for every ciphertext, as an array of Python integers."""
    S = secret.S(c.shape[-1]).astype(object)
    exact = np.asarray(c.data.astype(object) @ S.T)
    q = secret.parameters.q
    return exact if q is None else (exact + q // 2) % q - q // 2


def fractions(v):
    """Numbers as exact fractions."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(v))


def excess(secret: IntegerVectorSecretKey, c: CiphertextArray, v) -> tuple[float, float, float]:
    """How much of the bounds (noise, value, entries) a ciphertext of the exact vectors v uses: none may pass 1."""
    p = secret.parameters
    e = phase(secret, c) - Fraction(c.scale) * p.w * v
    if p.q is not None:
        e = (e + p.q // 2) % p.q - p.q // 2
    entries = 0.0 if p.q is not None else _ratio(c.data.astype(object), c.bound)
    return _ratio(e, c.noise), _ratio(v, c.value), entries


def _ratio(numbers, bound) -> float:
    largest = max((abs(x) for x in np.asarray(numbers, dtype=object).ravel()), default=0)
    return float(largest / Fraction(bound)) if bound else (0.0 if largest == 0 else float("inf"))


class WorstKey(IntegerVectorSecretKey):
    """A key whose secret and noise are as large as its parameters allow, all of one sign, so that nothing cancels."""

    def _draw_matrix(self, m):
        p = self.parameters
        return np.full((m, p.d), p.T_high - 1 if abs(p.T_high - 1) >= abs(p.T_low) else p.T_low)

    def _noise(self, shape):
        return np.full(shape, self.parameters.noise_bound)


def key_pair(parameters, widths, products=(), public_widths=(), worst=False, seed=1):
    """What `make_keys` returns, of a usual or of a worst key; repeats."""
    kind = WorstKey if worst else IntegerVectorSecretKey
    everything = {*widths, *public_widths, *(w for f in products for w in (f.left, f.right, f.out))}
    secret = kind(parameters, everything, np.random.default_rng(seed))
    switches = {f.name: secret.bilinear_key(f) for f in products}
    return secret, IntegerVectorEvaluator(secret.context, switches, {m: secret.public_key(m) for m in public_widths})
