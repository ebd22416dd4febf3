"""Products of any two encrypted numbers by codes.

A product takes three rotations: two bring the factors to their codes, and one brings the sum of the codes back to a number.
Factors lie in [-z_half, z_half], and each spans six octaves.  A size below z_half / 64 is read as that size, with a sign that
is right on average (`codes.dithered`).  A product is clipped to what the torus holds, 2 z_half.  Its deviation is

    |a b| sqrt( (r ln 2 / kappa)^2 + (r 4 z_half / a)^2 + (r 4 z_half / b)^2 )      r^2 = `noise.table_input`

to which the rotation that returns it adds its own.  Networks use `hidden` instead, which shares codes between products.
"""

import math

import numpy as np

from encnn.arithmetic.sampling import TAIL
from encnn.errors import ParameterError
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.bootstrapped import noise
from encnn.schemes.bootstrapped.codes import QUARTER, Codec
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.tables import to_torus
from encnn.schemes.bootstrapped.torus import EncryptedTorus

OCTAVES = 6.0
"""How many octaves each factor spans."""

CODEC = Codec.fitting(2 * OCTAVES, guard=0.02)
"""Its guard is at least seven deviations of a read with every parameter set of 128 bits."""


def bilinear(torus: EncryptedTorus, f: BilinearMap, a: np.ndarray, b: np.ndarray, gain: float) -> np.ndarray:
    """Return gain * f(a, b), int32 of shape (B, out, 1 + d), for a and b of shapes (B, left, 1 + d) and (B, right, 1 + d)."""
    if a.shape[1] != f.left or b.shape[1] != f.right:
        raise ParameterError(
            f"the product {f.name!r} takes vectors of {f.left} and {f.right} numbers, not of {a.shape[1]} and {b.shape[1]}; "
            "make the BilinearMap with these widths"
        )
    p, H = torus.p, f.matrices()
    table = CODEC.number_table(p.N, OCTAVES)
    code_a = torus.read(a, table)[0]
    code_b = code_a if b is a else torus.read(b, table)[0]
    i, j = np.nonzero(H.any(axis=0))  # only products that some output uses are formed, each once
    codes = code_a[:, i] + code_b[:, j]
    codes[..., 0] += to_torus(CODEC.shift(2 * CODEC.signed_origin(p.z_half), p.z_half**2))
    most, scale = 2 * p.z_half * (1 - 1 / p.N), p.scale / 2.0**TORUS_BITS
    products = torus.read(codes, CODEC.exp_table(p.N, lambda x: np.clip(gain * x, -most, most) * scale, p.z_half**2))[0]
    return np.einsum("op,bpn->bon", H[:, i, j].astype(np.int32), products)


def deviation(p: BootstrappedParameters, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the predicted standard deviation of the products a b, without that of the rotation which returns them."""
    quarter = QUARTER / p.z_half
    return np.abs(a * b) * CODEC.product_deviation(p, a * quarter, b * quarter)


def bound(p: BootstrappedParameters, terms: int, gain: float) -> float:
    """Return a bound on the noise of gain times a sum of `terms` products, in units of 2^-32 of the torus."""
    r = math.sqrt(noise.table_input(p))
    each = p.z_half**2 * r * (math.log(2) / CODEC.kappa + 2 / QUARTER)
    return terms * (TAIL * abs(gain) * each * p.scale + noise.output_bound(p))
