"""What the tests of FV and YASHE share: both schemes on a toy ring, and their keys."""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from encnn.schemes import fv, yashe
from encnn.schemes.bilinear import elementwise, vector_matrix

MODULES: dict[str, ModuleType] = {"fv": fv, "yashe": yashe}


@cache
def keys(scheme: str, **changes: Any) -> tuple[Any, Any]:
    """Return (secret key, evaluator) on the toy ring, with keys for products and rotations; experimental."""
    module = MODULES[scheme]
    parameters = module.TOY.updated(**dict(changes)) if changes else module.TOY
    products = [elementwise(8), vector_matrix(8, 1)] if parameters.special_prime else []
    return module.make_keys(parameters, [8], products, np.random.default_rng(7), [8])


def fractional(scheme: str) -> tuple[Any, Any]:
    """Return the keys of the fractional encoding."""
    return keys(scheme, encoding="fractional", fraction_digits=8, value_limit=8.0, N=256, **_primes(256))


@cache
def _primes(N: int) -> dict[str, Any]:
    from encnn.schemes.rings.parameters import primes_of_bits

    special = primes_of_bits(N, (30,))
    q = primes_of_bits(N, (30,) * 6, special)
    return {"q_primes": q, "special_prime": special[0], "t_primes": primes_of_bits(N, (20,), q)}
