"""The schemes: one training loop with several kinds of arithmetic.  The type of the parameters chooses the scheme."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.schemes import bootstrapped, ckks, clear, fv, integer_vector, yashe
from encnn.schemes.base import Encrypted, Evaluator, Scheme, SchemeParameters, SecretKey
from encnn.schemes.clear import ClearParameters
from encnn.schemes.powers import Product

__all__ = [
    "SCHEMES",
    "ClearParameters",
    "Encrypted",
    "Evaluator",
    "Product",
    "Scheme",
    "SchemeParameters",
    "SecretKey",
    "check_preset",
    "make_keys",
    "restore_evaluator",
    "restore_secret_key",
]

SCHEMES: list[Scheme] = [clear.SCHEME, integer_vector.SCHEME, yashe.SCHEME, fv.SCHEME, ckks.SCHEME, bootstrapped.SCHEME]
"""The table of schemes.  A new scheme is a folder and one entry here."""


def make_keys(
    parameters: SchemeParameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
    features: int = 1,
) -> tuple[SecretKey, Evaluator]:
    """Return the secret key and the evaluator of a new key pair for these parameters (see the scheme's own `make_keys`).

    features: rows of the first layer's weights, for a scheme that packs them.
    """
    for scheme in SCHEMES:
        if type(parameters) is scheme.parameters:
            return scheme.make_keys(parameters, widths, products, rng, public_widths, features)
    known = ", ".join(f"{s.parameters.__module__}.{s.parameters.__name__}" for s in SCHEMES)
    raise ParameterError(f"{parameters!r} are not parameters of a scheme; use one of {known}")


def restore_evaluator(scheme: str, header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> Evaluator:
    """Return the evaluator that its `export` took apart; `products` are the maps it may hold keys for."""
    evaluator = _with_files(scheme)[0](header, arrays, products)
    check_preset(evaluator.parameters)
    return evaluator


def restore_secret_key(scheme: str, header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that its `export` took apart."""
    secret = _with_files(scheme)[1](header, arrays)
    if secret.context is not None:
        check_preset(secret.context.parameters)
    return secret


def check_preset(parameters: SchemeParameters) -> None:
    """Raise `ParameterError` for parameters that have the name of a preset but differ from it."""
    presets = {p.name: p for scheme in SCHEMES for p in scheme.presets}
    if presets.get(parameters.name, parameters) != parameters:
        raise ParameterError(
            f"parameters are called {parameters.name!r} but are not that preset; give them a name of their own"
        )


def _with_files(name: str) -> tuple[Callable[..., Evaluator], Callable[..., SecretKey]]:
    """Return what restores evaluators and secret keys of the scheme of this name, which are written to files."""
    known = {
        scheme.name: (scheme.restore_evaluator, scheme.restore_secret_key)
        for scheme in SCHEMES
        if scheme.restore_evaluator is not None and scheme.restore_secret_key is not None
    }
    if name not in known:
        raise FileError(f"the file is of scheme {name!r}; files hold networks of the schemes {', '.join(map(repr, known))}")
    return known[name]
