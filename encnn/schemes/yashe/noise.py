"""Predicted noise of YASHE: bounds on the invariant noise v, (t / q) f c = m + v + t a.

B is the bound on fresh noise, and d is `expansion` (2 sqrt(N)).  A product with f = t f' + 1 enlarges a polynomial by at most
h = 1 + t d.  n_1 and n_2 are the noises of two factors:

    fresh        (t / q)(h (B + 1/2) + t d B)
    sum          n_1 + n_2
    product      d g (n_1 + n_2) + d n_1 n_2 + (t / q) h^2 / 2,   g = t h / 2
    key switch   (t / q)(sum_i d q_i (h B + t d B) / P + h / 2)

A product takes log2(t^2 d^2) bits of the budget.  That is log2 t more than under FV, because f is t times as large as FV's key.
For the same reason a fresh ciphertext already has t times the noise of FV's.
"""

from encnn.schemes.rings.parameters import RingParameters
from encnn.schemes.rings.switching import switch_noise


def enlargement(p: RingParameters) -> float:
    """Return h, a bound on how much a product with f enlarges a polynomial."""
    return 1.0 + p.t * p.expansion


def masked(p: RingParameters) -> float:
    """Return a bound on f (e + h s) = f e + t g s for fresh noise e, s."""
    return (enlargement(p) + p.t * p.expansion) * p.noise_bound


def fresh(p: RingParameters) -> float:
    """Return the noise of a fresh ciphertext."""
    return p.t / p.q * (masked(p) + enlargement(p) / 2)


def product(p: RingParameters, a: float, b: float) -> float:
    """Return the noise of the product of ciphertexts with noises a and b, before it is relinearised."""
    d, h = p.expansion, enlargement(p)
    return d * p.t * h / 2 * (a + b) + d * a * b + p.t / p.q * h * h / 2


def switch(p: RingParameters) -> float:
    """Return the noise that a key switch adds."""
    return p.t / p.q * (switch_noise(p, masked(p)) + enlargement(p) / 2)
