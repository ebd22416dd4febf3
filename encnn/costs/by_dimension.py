"""Bytes and CPU time of keys and ciphertexts of the integer-vector scheme, as its LWE dimension d grows.

A vector has m entries, and a ciphertext entry has l digits.  A key takes 8 bytes per entry, a ciphertext 4 or 8:

    ==============================  =============================================  =========================
    .                               entries                                        grows as
    ==============================  =============================================  =========================
    ciphertext                      m + d  (as fresh in a file: m, and a seed)     d
    public key                      m l (m + d)  +  (m + d) d                      d^2
    key of a linear map             (m + d) l (m' + d)                             d^2 l
    key of a product x^T H_k y      (m1 + d) (m2 + d) l (m_out + d)                d^3 l
    ==============================  =============================================  =========================

Because of the last line, products of ciphertexts in this scheme can be secure or practical, but not both.  Products also need a
larger modulus than sums, with room for two scales and for the noise of a key switch.  A larger modulus needs a larger d again.
MODULUS_TOY is an example of parameters for products, COMPACT_128 of parameters for sums.
"""

import re
from collections.abc import Iterable

import pandas as pd

from encnn.errors import ParameterError
from encnn.progress import progress
from encnn.schemes.bilinear import BilinearMap, elementwise, vector_matrix
from encnn.schemes.integer_vector import (
    COMPACT_128,
    MODULUS_TOY,
    IntegerVectorParameters,
)
from encnn.security.estimate import minimum_dimension
from encnn.security.promise import honest_name

SCALAR_PRODUCT, VECTOR_MATRIX = elementwise(1), vector_matrix(8, 1)
"""The products of the table: two scalars, and a hidden layer of eight times its output weights."""

DIMENSIONS = (64, 128, 256, 512, 1024, 2048, 4096)

_KEY_ENTRY_BYTES = 8


def ciphertext_bytes(p: IntegerVectorParameters, m: int = 1) -> int:
    """Return the bytes of the ciphertext of a vector of width m."""
    return (m + p.d) * p.dtype.itemsize


def public_key_bytes(p: IntegerVectorParameters, m: int = 1) -> int:
    """Return the bytes of the public key for vectors of width m under a modulus: the switch from I, and d zeros."""
    return _KEY_ENTRY_BYTES * (m * p.n_digits * (m + p.d) + (m + p.d) * p.d)


def product_key_bytes(p: IntegerVectorParameters, f: BilinearMap = SCALAR_PRODUCT) -> int:
    """Return the bytes of the evaluation key for a product."""
    return _KEY_ENTRY_BYTES * (f.left + p.d) * (f.right + p.d) * p.n_digits * (f.out + p.d)


def at_dimension(d: int, like: IntegerVectorParameters = COMPACT_128) -> IntegerVectorParameters:
    """Return the parameters with dimension d.  The name gets d, and below 128 bits also the bits or INSECURE."""
    marked = like.updated(d=d, name="INSECURE")
    stem = re.sub(r"-(INSECURE|\d+-bits)$", "", like.name)
    return like.updated(d=d, name=honest_name(f"{stem}-d{d}", marked.security.bits))


def largest_dimension(memory_bytes: int, like: IntegerVectorParameters = MODULUS_TOY, f: BilinearMap = SCALAR_PRODUCT) -> int:
    """Return the largest d at which the evaluation key of the product fits into this memory, 0 if none does.

    >>> d = largest_dimension(2**30)
    >>> product_key_bytes(at_dimension(d, MODULUS_TOY)) <= 2**30 < product_key_bytes(at_dimension(d + 1, MODULUS_TOY))
    True
    """
    low, high = 0, 1 << 16
    while high - low > 1:
        middle = (low + high) // 2
        fits = product_key_bytes(like.updated(d=middle, name="-INSECURE"), f) <= memory_bytes
        low, high = (middle, high) if fits else (low, middle)
    return low


def costs(dimensions: Iterable[int] = DIMENSIONS, like: IntegerVectorParameters = COMPACT_128) -> pd.DataFrame:
    """Return a table of security in bits and of sizes in bytes, with one line per dimension d.

    All other parameters are those of `like`, which must have a modulus.  Columns: log2 q; the fewest "bits" of the estimate,
    the attack and the model that give them, and "bits (core-SVP)"; bytes of a ciphertext of one scalar, of the public key for
    scalars, and of the evaluation keys for the product of two scalars and for vector (8) times matrix (8 x 1).
    """
    if like.q_bits is None:
        raise ParameterError(f"{like.name!r} has no modulus, so no dimension makes it secure; take COMPACT_128 or ADDITIVE_128")
    rows = [_row(at_dimension(d, like)) for d in progress(list(dimensions), description="costs")]
    return pd.DataFrame(rows).set_index("d")


def _row(p: IntegerVectorParameters) -> dict[str, object]:
    return {
        "d": p.d,
        "log2 q": p.q_bits or 0,
        "bits": round(p.security.bits, 1),
        "decided by": p.security.best().method,
        "bits (core-SVP)": round(p.security.core_svp_bits, 1),
        "ciphertext bytes": ciphertext_bytes(p),
        "public key bytes": public_key_bytes(p),
        "scalar product key bytes": product_key_bytes(p, SCALAR_PRODUCT),
        "vector-matrix 8x1 key bytes": product_key_bytes(p, VECTOR_MATRIX),
    }


def summary(memory_bytes: int) -> str:
    """Return the sentence below the table, for a machine with this memory and the modulus of `MODULUS_TOY`.

    The dimension for 128 bits is the smallest by the estimate, which is optimistic (see `estimate`).

    >>> print(summary(2**30))
    1.0 GiB hold the key of one product of two scalars up to d = 321;
    128 bits at log2 q = 64 take d = 2465, and that key has 446.9 GiB.
    """
    like = MODULUS_TOY
    needed = minimum_dimension(128.0, like.q_bits or 0, like.sigma or 0.0)
    size = product_key_bytes(at_dimension(needed, like)) / 2**30
    return (
        f"{memory_bytes / 2**30:.1f} GiB hold the key of one product of two scalars up to d = "
        f"{largest_dimension(memory_bytes, like)};\n"
        f"128 bits at log2 q = {like.q_bits} take d = {needed}, and that key has {size:.1f} GiB."
    )
