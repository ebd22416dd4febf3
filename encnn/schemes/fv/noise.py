"""Predicted noise of FV: bounds on the invariant noise v, (t / q)(c_0 + c_1 s) = m + v + t a.

B is the bound on fresh noise, d is `expansion` (2 sqrt(N)), the key is ternary (|s| = 1), and n_1 and n_2 are the noises of two
factors:

    fresh, secret key     (t / q)(B + 1/2)
    fresh, public key     (t / q)(B + 2 d B + 1/2)
    sum                   n_1 + n_2
    product               d g (n_1 + n_2) + d n_1 n_2 + (t / q)(1 + d + d^2) / 2,   g = t (1 + d) / 2
    key switch            (t / q)(sum_i d q_i B / P + (1 + d) / 2)

g is a bound on m + v + t a = (t / q)(c_0 + c_1 s) of either factor.  A product therefore takes log2(t d^2) bits of the budget
for all messages, small ones too.  Bounds with d hold except with negligible probability (see `RingParameters.expansion`).
"""

from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.switching import switch_noise


def fresh_secret(p: RingParameters) -> float:
    """Return the noise of a ciphertext that the owner made."""
    return p.t / p.q * (p.noise_bound + 0.5)


def fresh_public(p: RingParameters) -> float:
    """Return the noise of a ciphertext made with the public key."""
    return p.t / p.q * (p.noise_bound * (1 + 2 * p.expansion) + 0.5)


def product(p: RingParameters, a: float, b: float) -> float:
    """Return the noise of the product of ciphertexts with noises a and b, before it is relinearised."""
    d = p.expansion
    rounding = p.t / p.q * (1 + d + d * d) / 2
    return d * p.t * (1 + d) / 2 * (a + b) + d * a * b + rounding


def switch(p: RingParameters) -> float:
    """Return the noise that a key switch adds."""
    return p.t / p.q * (switch_noise(p, p.noise_bound) + (1 + p.expansion) / 2)
