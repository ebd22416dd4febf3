"""Making and restoring the two sides of an FV key."""

from collections.abc import Iterable, Sequence

import numpy as np

from encnn.schemes.fv.evaluator import FVEvaluator
from encnn.schemes.fv.keys import SecretKey
from encnn.schemes.fv.parameters import Parameters
from encnn.schemes.powers import Product
from encnn.schemes.rings import storage


def make_keys(
    parameters: Parameters,
    widths: Iterable[int] = (),
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, FVEvaluator]:
    """Return a new secret key and its evaluator.

    widths: lengths of the vectors to encrypt (any up to N / 2).  products: maps that the evaluator shall be able to compute.
    public_widths: if there are any, anyone can encrypt.  Without `rng` the key is real.
    """
    secret = SecretKey(parameters, rng)
    keys = secret.switch_keys(products)
    return secret, FVEvaluator(secret.context, secret.public_key() if tuple(public_widths) else None, keys)


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> FVEvaluator:
    """Return the evaluator that its `export` took apart."""
    context = storage.restore_context(Parameters, header)
    return FVEvaluator(context, *storage.restore_keys(context, FVEvaluator.parts, header, arrays))


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    context = storage.restore_context(Parameters, header)
    return SecretKey.from_polynomial(context, *storage.secret_polynomials(context, arrays, ("T_secret",)))
