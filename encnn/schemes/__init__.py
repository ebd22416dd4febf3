"""The schemes: one training loop, several arithmetics.  Their parameters say which is which."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.schemes import bootstrapped, ckks, fv, integer_vector, yashe
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
    "check_preset",
    "make_keys",
    "restore_evaluator",
    "restore_secret_key",
]

SchemeParameters = (
    ClearParameters | integer_vector.Parameters | bootstrapped.Parameters | ckks.Parameters | fv.Parameters | yashe.Parameters
)
"""Parameters of any scheme; their type chooses the scheme."""


def make_keys(
    parameters: SchemeParameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, Evaluator]:
    """Return the secret key and the evaluator of a new key pair for these parameters (see the scheme's own `make_keys`)."""
    maker = _KEY_MAKERS.get(type(parameters))
    if maker is None:
        known = ", ".join(f"{kind.__module__}.{kind.__name__}" for kind in _KEY_MAKERS)
        raise ParameterError(f"{parameters!r} are no parameters of a scheme; use one of {known}")
    return maker(parameters, widths, products, rng, public_widths)


def restore_evaluator(scheme: str, header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> Evaluator:
    """Return the evaluator that its `export` took apart; `products` are the maps it may hold keys for."""
    evaluator: Evaluator = _restorer(scheme).restore_evaluator(header, arrays, products)
    check_preset(evaluator.parameters)
    return evaluator


def restore_secret_key(scheme: str, header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that its `export` took apart."""
    secret = _restorer(scheme).restore_secret_key(header, arrays)
    check_preset(secret.context.parameters)
    return secret


def check_preset(parameters: Any) -> None:
    """Raise `ParameterError` for parameters that are called as one of our presets, and are others."""
    if _PRESETS.get(parameters.name, parameters) != parameters:
        raise ParameterError(
            f"parameters are called {parameters.name!r}, and are not that preset; give them a name of their own"
        )


def _clear_keys(parameters: ClearParameters, *_: Any) -> tuple[SecretKey, Evaluator]:
    scale = parameters.scale
    evaluator = ClearEvaluator() if scale is None else FixedPointEvaluator(scale, parameters.rounding)
    return ClearSecretKey(evaluator), evaluator


def _restorer(scheme: str) -> Any:
    """Return whatever has the `restore_evaluator` and `restore_secret_key` of this scheme."""
    if scheme not in _RESTORERS:
        known = ", ".join(map(repr, _RESTORERS))
        raise FileError(f"the file is of scheme {scheme!r}; files hold networks of the schemes {known}")
    return _RESTORERS[scheme]


_PRESETS: dict[str, Any] = {
    p.name: p for scheme in (integer_vector, bootstrapped, ckks, fv, yashe) for p in scheme.PRESETS.values()
}

_KEY_MAKERS: dict[type, Callable[..., tuple[SecretKey, Evaluator]]] = {
    ClearParameters: _clear_keys,
    integer_vector.Parameters: integer_vector.make_keys,
    bootstrapped.Parameters: bootstrapped.make_keys,
    ckks.Parameters: ckks.make_keys,
    fv.Parameters: fv.make_keys,
    yashe.Parameters: yashe.make_keys,
}

_RESTORERS: dict[str, Any] = {
    integer_vector.IntegerVectorEvaluator.scheme: factory,
    bootstrapped.BootstrappedEvaluator.scheme: bootstrapped.factory,
    ckks.CKKSEvaluator.scheme: ckks.factory,
    fv.FVEvaluator.scheme: fv.factory,
    yashe.YASHEEvaluator.scheme: yashe.factory,
}
