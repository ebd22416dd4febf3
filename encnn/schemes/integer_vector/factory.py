"""Make and restore both sides of a key: the owner's `IntegerVectorSecretKey` and the public `IntegerVectorEvaluator`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from encnn.errors import FileError, ParameterError
from encnn.files.schema import Hex32, Width, check_array, check_names, parse, take
from encnn.schemes.bilinear import BilinearMap
from encnn.schemes.integer_vector import powers, storage
from encnn.schemes.integer_vector.evaluator import IntegerVectorEvaluator
from encnn.schemes.integer_vector.keys import (
    TOY_ZEROS,
    IntegerVectorSecretKey,
    IntegerVectorSwitchKey,
    PublicKey,
    power_bounds,
    product_bounds,
)
from encnn.schemes.integer_vector.packing import Q_BITS, PackingKey, body_shape, packs
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters
from encnn.schemes.powers import Product

MAX_KEY_BYTES = 4 << 30


def make_keys(
    parameters: IntegerVectorParameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
    features: int = 1,
) -> tuple[IntegerVectorSecretKey, IntegerVectorEvaluator]:
    """Return a new secret key and its evaluator.

    widths: lengths of the vectors to encrypt.  products: maps that the evaluator must be able to compute.
    public_widths: lengths of vectors that anyone must be able to encrypt.  rng: for experimental keys only.  features: any.
    """
    products = _switched(parameters, products)
    _check_size(parameters, products)
    secret = IntegerVectorSecretKey(parameters, {*widths, *public_widths}.union(*(f.widths for f in products)), rng)
    switches = {f.name: secret.bilinear_key(f) if isinstance(f, BilinearMap) else secret.power_key(f) for f in products}
    public = {m: secret.public_key(m) for m in public_widths}
    return secret, IntegerVectorEvaluator(secret.context, switches, public, secret.packing_key())


@dataclass(frozen=True)
class IntegerVectorEvaluatorHeader(storage.IntegerVectorKeyHeader):
    """The header of evaluation keys."""

    products: list[str]  # names, in the order of their arrays
    public_widths: list[Width]  # widths of the public keys
    packing_seed: Hex32 | None  # of the masks of the packing key, if there is one
    packing_widths: list[Width]  # of vectors that it packs


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> IntegerVectorEvaluator:
    """Return the evaluator that `IntegerVectorEvaluator.export` took apart; `products` are all maps it may hold keys for.

    Every array must be one that the header announces.
    """
    described, arrays = parse(IntegerVectorEvaluatorHeader, header, "the description of the keys"), dict(arrays)
    context, p = described.context, described.parameters
    known = {f.name: f for f in _switched(p, products)}
    switches = {}
    for i, name in enumerate(described.products):
        f = known.get(name)
        if f is None or f.name in switches:
            raise FileError(
                f"the file holds a key for the operation {name!r:.80}, which this network does not use, or a second one"
            )
        switches[f.name] = _switch(p, arrays, f"product_{i}", f)
    _check_ascending(described.public_widths)
    public = {m: _public_key(p, arrays, m) for m in described.public_widths}
    packing = _packing_key(p, described, arrays)
    check_names("the file", arrays, set())
    return IntegerVectorEvaluator(context, switches, public, packing)


def _packing_key(
    p: IntegerVectorParameters, described: IntegerVectorEvaluatorHeader, arrays: dict[str, np.ndarray]
) -> PackingKey | None:
    """Return the key that packs scores for files, or None."""
    seed, widths = described.packing_seed, described.packing_widths
    if seed is None and not widths:
        return None
    if seed is None or not widths or not packs(p):
        raise FileError(f"the key that packs scores of widths {widths!r:.80} does not fit {p.name!r}; get a new file")
    _check_ascending(widths)
    bodies = {}
    for m in (0, *widths):
        name = f"packing_{m}"
        bodies[m] = check_array(
            name, take(arrays, name), body_shape(p, m), np.int64, -1 << (Q_BITS - 1), (1 << (Q_BITS - 1)) - 1
        )
    return PackingKey(p, bytes.fromhex(seed), bodies)


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> IntegerVectorSecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    context = parse(storage.IntegerVectorKeyHeader, header, "the description of the secret key").context
    p, T = context.parameters, {}
    for name, array in arrays.items():
        if not re.fullmatch("T_[1-9][0-9]{0,4}", name):
            raise FileError(f"the file holds {name!r}, which is not part of a secret key; use another file")
        m = int(name[2:])
        T[m] = check_array(name, array, (m, p.d), np.int64, p.T_low, p.T_high - 1)
    if not T:
        raise FileError("the file holds no matrix T, so it is not a secret key; use another file")
    return IntegerVectorSecretKey.from_matrices(context, T)


def _check_ascending(widths: Sequence[int]) -> None:
    if any(a >= b for a, b in pairwise(widths)):
        raise FileError(f"the widths {widths!r:.80} must be named once and in order; get a new file from its sender")


def _public_key(p: IntegerVectorParameters, arrays: dict[str, np.ndarray], m: int) -> PublicKey:
    """Return the public key for one width."""
    switch = IntegerVectorSwitchKey(p, _matrix(p, arrays, f"public_{m}_switch", m, m), 1.0)
    name, shape = f"public_{m}_zeros", (m + p.d, TOY_ZEROS if p.q_bits is None else p.d)
    zeros = check_array(name, take(arrays, name), shape, np.int64, *storage.zeros_range(p))
    _check_masks(p, name, zeros[m:])
    return PublicKey(switch, zeros)


def _switched(p: IntegerVectorParameters, products: Sequence[Product]) -> list[Product]:
    """Return the products that get a key of their own."""
    return [f for f in products if isinstance(f, BilinearMap) or powers.worthwhile(f, p)]


def _size(p: IntegerVectorParameters, f: Product) -> tuple[int, int]:
    """Return (entries that are switched, width of the result) for the key of a product."""
    if isinstance(f, BilinearMap):
        return (f.left + p.d) * (f.right + p.d), f.out
    return powers.count_monomials(f, p.d), f.width


def _switch(p: IntegerVectorParameters, arrays: dict[str, np.ndarray], name: str, f: Product) -> IntegerVectorSwitchKey:
    """Return the key of a product.  Its size is checked first, because computing its bounds takes memory of that size."""
    M_transposed = _matrix(p, arrays, name, *_size(p, f))
    return IntegerVectorSwitchKey(
        p, M_transposed, *(product_bounds(p, f) if isinstance(f, BilinearMap) else power_bounds(p, f))
    )


def _matrix(p: IntegerVectorParameters, arrays: dict[str, np.ndarray], name: str, entries: int, out: int) -> np.ndarray:
    """Return the matrix M^T of eq. (8).  Without modulus its part S* - T A + E wraps modulo 2^64, so any entry is allowed."""
    within = (None, None) if p.q_bits is None else storage.entry_range(p)
    M_transposed = check_array(name, take(arrays, name), (entries * p.n_digits, out + p.d), np.int64, *within)
    _check_masks(p, name, M_transposed[:, out:])
    return M_transposed


def _check_masks(p: IntegerVectorParameters, name: str, A: np.ndarray) -> None:
    """Raise `FileError` for a public A that these parameters cannot draw; with a modulus any residues are allowed."""
    if p.q_bits is None:
        check_array(f"the masks of {name}", A, A.shape, np.int64, 0, p.A_high - 1)


def _check_size(p: IntegerVectorParameters, products: Sequence[Product]) -> None:
    """Raise `ParameterError` for keys above `MAX_KEY_BYTES`, before they are made: they grow as (m + d)^3."""
    for f in products:
        entries, out = _size(p, f)
        size = 8 * entries * p.n_digits * (out + p.d)
        if size > MAX_KEY_BYTES:
            raise ParameterError(
                f"the evaluation key for {f.name!r} at d = {p.d} would take {size / 2**30:.3g} GiB (it grows as d^3), above "
                f"{MAX_KEY_BYTES / 2**30:.0f} GiB; leave `parameters` out of Owner for the scheme 'bootstrapped', which needs "
                "no such key, or use additions only: hidden=0 and ExactSigmoid(), with the help of owner.assistant()"
            )
