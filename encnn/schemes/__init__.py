"""The schemes: one training loop, several arithmetics.  Their parameters say which is which."""

from collections.abc import Iterable, Sequence

import numpy as np

from encnn.errors import FileError
from encnn.schemes import integer_vector
from encnn.schemes.base import Encrypted, Evaluator, SecretKey
from encnn.schemes.clear import ClearEvaluator, ClearParameters, ClearSecretKey, FixedPointEvaluator
from encnn.schemes.integer_vector import factory
from encnn.schemes.powers import Product

__all__ = [
    "Product",
    "ClearParameters",
    "Encrypted",
    "Evaluator",
    "SchemeParameters",
    "SecretKey",
    "make_keys",
    "restore_evaluator",
    "restore_secret_key",
]

SchemeParameters = ClearParameters | integer_vector.Parameters
"""Parameters of any scheme; their type chooses the scheme."""


def make_keys(
    parameters: SchemeParameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, Evaluator]:
    """Return the secret key and the evaluator of a new key pair for these parameters (see the scheme's own `make_keys`)."""
    if isinstance(parameters, integer_vector.Parameters):
        return integer_vector.make_keys(parameters, widths, products, rng, public_widths)
    scale = parameters.scale
    evaluator = ClearEvaluator() if scale is None else FixedPointEvaluator(scale, parameters.rounding)
    return ClearSecretKey(evaluator), evaluator


def restore_evaluator(scheme: str, header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> Evaluator:
    """Return the evaluator that its `export` took apart; `products` are the maps it may hold keys for."""
    if scheme == integer_vector.IntegerVectorEvaluator.scheme:
        return factory.restore_evaluator(header, arrays, products)
    raise FileError(f"the file is of scheme {scheme!r}; files hold networks of the scheme 'integer_vector'")


def restore_secret_key(scheme: str, header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that its `export` took apart."""
    if scheme == integer_vector.IntegerVectorEvaluator.scheme:
        return factory.restore_secret_key(header, arrays)
    raise FileError(f"the file is of scheme {scheme!r}; files hold keys of the scheme 'integer_vector'")
