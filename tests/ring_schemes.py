"""What the tests of FV and YASHE share: both schemes on a toy ring, their keys, and a small task."""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from encnn.schemes import fv, yashe
from encnn.schemes.bilinear import elementwise, vector_matrix
from encnn.schemes.rings.parameters import primes_of_bits

WORDS, REVIEWS = 12, 40

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
    return keys(
        scheme, name="fractional-INSECURE", encoding="fractional", fraction_digits=8, value_limit=8.0, N=256, **_primes(256)
    )


def roomy(scheme: str, encoding: str, scale: int = 4) -> dict[str, Any]:
    """Return changes of the toy parameters that give numbers room to grow."""
    toy = MODULES[scheme].TOY
    return {"encoding": encoding, "scale": scale, "t_primes": primes_of_bits(toy.N, (20, 20), toy.q_primes)}


def for_hidden_layers(scheme: str) -> Any:
    """Return toy parameters for products in slots, with room for a step of a network with a hidden layer."""
    q, t = primes_of_bits(64, (30,) * 12, (fv.TOY.special_prime,)), primes_of_bits(64, (24, 24))
    return MODULES[scheme].TOY.updated(q_primes=q, t_primes=t, scale=1 << 8, value_limit=4.0)


def task() -> tuple[np.ndarray, np.ndarray]:
    """Return bags of words and labels."""
    rng = np.random.default_rng(5)
    X = (rng.random((REVIEWS, WORDS)) < 0.3).astype(np.int64)
    return X, (X[:, :6].sum(axis=1) > X[:, 6:].sum(axis=1)).astype(int)


@cache
def _primes(N: int) -> dict[str, Any]:
    special = primes_of_bits(N, (30,))
    q = primes_of_bits(N, (30,) * 6, special)
    return {"q_primes": q, "special_prime": special[0], "t_primes": primes_of_bits(N, (20,), q)}
