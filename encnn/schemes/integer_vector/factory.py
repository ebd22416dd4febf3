"""Making and restoring the two sides of a key: `SecretKey` for the owner, `IntegerVectorEvaluator` for everybody else."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.integer_vector import powers, storage
from encnn.schemes.integer_vector.evaluator import IntegerVectorEvaluator
from encnn.schemes.integer_vector.keys import PublicKey, SecretKey, SwitchKey, power_bounds, product_bounds
from encnn.schemes.integer_vector.parameters import Parameters
from encnn.schemes.powers import Product

MAX_KEY_BYTES = 4 << 30


def make_keys(
    parameters: Parameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, IntegerVectorEvaluator]:
    """Return a new secret key and its evaluator.

    widths: lengths of the vectors to encrypt.  products: maps that the evaluator shall be able to compute.
    public_widths: lengths of vectors that anyone shall be able to encrypt.  Without `rng` the key is real.
    """
    products = _switched(parameters, products)
    _check_size(parameters, products)
    secret = SecretKey(parameters, {*widths, *public_widths}.union(*(f.widths for f in products)), rng)
    switches = {f.name: secret.bilinear_key(f) if isinstance(f, BilinearMap) else secret.power_key(f) for f in products}
    return secret, IntegerVectorEvaluator(secret.context, switches, {m: secret.public_key(m) for m in public_widths})


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> IntegerVectorEvaluator:
    """Return the evaluator that `IntegerVectorEvaluator.export` took apart; `products` are all maps it may hold keys for.

    Every array must be one that the header announces.
    """
    context, arrays = storage.restore_context(header), dict(arrays)
    known = {f.name: f for f in _switched(context.parameters, products)}
    switches = {}
    for i, name in enumerate(_listed(header, "products")):
        f = known.get(name) if isinstance(name, str) else None
        if f is None or f.name in switches:
            raise FileError(
                f"the file holds a key for the operation {name!r}, which this network does not use, or a second one"
            )
        switches[f.name] = _switch(context.parameters, arrays, f"product_{i}", f)
    public = {}
    for m in _listed(header, "public_widths"):
        if isinstance(m, bool) or not isinstance(m, int) or not 1 <= m <= 1 << 16:
            raise FileError(f"the file holds a public key for vectors of width {m!r}, which is no width")
        M_transposed = _matrix(context.parameters, arrays, f"public_{m}_switch", m, m)
        switch = SwitchKey(context.parameters, M_transposed, 1.0)
        zeros = _taken(arrays, f"public_{m}_zeros")
        storage.check_array("public key", zeros, (m + context.parameters.d, zeros.size // (m + context.parameters.d)))
        public[m] = PublicKey(switch, zeros)
    if arrays:
        raise FileError(f"the file holds arrays that its header does not announce: {', '.join(arrays):.200}; use another file")
    return IntegerVectorEvaluator(context, switches, public)


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    context = storage.restore_context(header)
    T = {}
    for name, array in arrays.items():
        if not name.startswith("T_") or not name[2:].isdecimal():
            raise FileError(f"a secret key does not hold {name!r}; this is no file of a secret key")
        storage.check_array(name, array, (int(name[2:]), context.parameters.d))
        if not ((array >= context.parameters.T_low) & (array < context.parameters.T_high)).all():
            raise FileError(f"{name} holds entries that its parameters cannot draw; restore the file from a backup")
        T[int(name[2:])] = array
    if not T:
        raise FileError("the file holds no matrix T; this is no file of a secret key")
    return SecretKey.from_matrices(context, T)


def _switched(p: Parameters, products: Sequence[Product]) -> list[Product]:
    """Return those of the products that get a key of their own."""
    return [f for f in products if isinstance(f, BilinearMap) or powers.worthwhile(f, p)]


def _size(p: Parameters, f: Product) -> tuple[int, int]:
    """Return the size of the key of a product: entries switched, width of the result."""
    if isinstance(f, BilinearMap):
        return (f.left + p.d) * (f.right + p.d), f.out
    return powers.count_monomials(f, p.d), f.width


def _switch(p: Parameters, arrays: dict[str, np.ndarray], name: str, f: Product) -> SwitchKey:
    """Return the key of a product.  Its size is checked before its bounds are computed, which takes memory of that order."""
    M_transposed = _matrix(p, arrays, name, *_size(p, f))
    return SwitchKey(p, M_transposed, *(product_bounds(p, f) if isinstance(f, BilinearMap) else power_bounds(p, f)))


def _matrix(p: Parameters, arrays: dict[str, np.ndarray], name: str, entries: int, out: int) -> np.ndarray:
    M_transposed = _taken(arrays, name)
    storage.check_array(name, M_transposed, (entries * p.n_digits, out + p.d))
    return M_transposed


def _taken(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Remove and return an array, so that what is left over shows."""
    if name not in arrays:
        raise FileError(f"the file lacks the array {name!r} that its header announces; get a new file from its sender")
    return arrays.pop(name)


def _listed(header: dict, name: str) -> list[Any]:
    value = header.get(name)
    if not isinstance(value, list):
        raise FileError(f"the file's header lacks the list {name!r}; get a new file from its sender")
    return value


def _check_size(p: Parameters, products: Sequence[Product]) -> None:
    """Refuse keys that no machine of today holds before making them: they grow as (m + d)^3."""
    for f in products:
        entries, out = _size(p, f)
        size = 8 * entries * p.n_digits * (out + p.d)
        if size > MAX_KEY_BYTES:
            raise ParameterError(
                f"the evaluation key for {f.name!r} at d = {p.d} would take {size / 2**30:.3g} GiB (it grows as d^3), above "
                f"{MAX_KEY_BYTES / 2**30:.0f} GiB; use additions only, or a smaller d"
            )
