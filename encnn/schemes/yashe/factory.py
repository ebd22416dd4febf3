"""Making and restoring the two sides of a YASHE key."""

from collections.abc import Iterable, Sequence

import numpy as np

from encnn.schemes.powers import Product
from encnn.schemes.rings import storage
from encnn.schemes.yashe.evaluator import YASHEEvaluator
from encnn.schemes.yashe.keys import SecretKey
from encnn.schemes.yashe.parameters import Parameters


def make_keys(
    parameters: Parameters,
    widths: Iterable[int] = (),
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, YASHEEvaluator]:
    """Return a new secret key and its evaluator (see `fv.make_keys` for the arguments)."""
    secret = SecretKey(parameters, rng)
    keys = secret.switch_keys(products)
    return secret, YASHEEvaluator(secret.context, secret.public_key() if tuple(public_widths) else None, keys)


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> YASHEEvaluator:
    """Return the evaluator that its `export` took apart."""
    context = storage.restore_context(Parameters, header)
    return YASHEEvaluator(context, *storage.restore_keys(context, YASHEEvaluator.parts, header, arrays))


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    context = storage.restore_context(Parameters, header)
    return SecretKey.from_polynomials(context, *storage.secret_polynomials(context, arrays, ("T_secret", "T_g")))
