"""Make and restore both sides of a key: the owner's `CKKSSecretKey` and the public `CKKSEvaluator`."""

from collections.abc import Iterable, Sequence

import numpy as np

from encnn.errors import CapabilityError
from encnn.schemes.bilinear import BilinearMap, vector_matrix
from encnn.schemes.ckks import storage
from encnn.schemes.ckks.evaluator import CKKSEvaluator
from encnn.schemes.ckks.keys import CKKSSecretKey
from encnn.schemes.ckks.packing import Packing, power_above
from encnn.schemes.ckks.parameters import CKKSParameters
from encnn.schemes.powers import Product


def make_keys(
    parameters: CKKSParameters,
    widths: Iterable[int],
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
    features: int = 1,
) -> tuple[CKKSSecretKey, CKKSEvaluator]:
    """Return a new secret key and its evaluator, for training.

    widths: the widths of the rows to encrypt; the widest one sets how many slots a row has.  products: maps that the evaluator
    must be able to compute; without any, there is no relinearisation key.  features: the most rows that W1 may have; the
    packing has the next power of two, since a product with features takes as many diagonals.  `rng` and `public_widths` must
    be left out.
    """
    if rng is not None:
        raise CapabilityError(
            "scheme 'ckks' cannot make keys from a passed rng: SEAL draws its randomness from the operating system. Leave rng "
            "out; runs then agree up to the noise"
        )
    if list(public_widths):
        raise CapabilityError(
            "scheme 'ckks' has no public keys here: the owner encrypts; leave public=True out, or use fv.ADDITIVE_128"
        )
    secret = CKKSSecretKey(parameters, Packing(parameters.slots, power_above(max(widths)), power_above(features)))
    hidden = any(isinstance(f, BilinearMap) and f == vector_matrix(f.left, 1) for f in products)
    steps = training_steps(secret.context.packing, hidden)
    relinearisation = secret.relinearisation_key() if products else None
    return secret, CKKSEvaluator(secret.context, secret.rotation_keys(steps), steps, relinearisation)


def make_mirror_keys(parameters: CKKSParameters, features: int) -> tuple[CKKSSecretKey, CKKSEvaluator]:
    """Return keys for up to this many encrypted features and a clear model (`encnn.parties.mirror`).

    There are keys for rotations by powers of two.
    """
    secret = CKKSSecretKey(parameters, Packing(parameters.slots, 1, power_above(features)))
    steps = frozenset(_doublings(1, power_above(features)))
    return secret, CKKSEvaluator(secret.context, secret.rotation_keys(steps), steps, secret.relinearisation_key())


def training_steps(packing: Packing, hidden: bool) -> frozenset[int]:
    """Return the rotations, in slots, that training needs (see `packing` for baby and giant steps)."""
    row, slots = packing.stride, packing.slots
    # a baby step, a giant step, and the doublings that fold rows equal modulo the period onto each other
    steps = {row, row * packing.baby_steps} | _doublings(row * packing.features, slots)
    if hidden:  # sums within rows, results copied to all slots of a row, and sums over rows
        inside = _doublings(1, row)
        steps |= inside | {-k for k in inside} | _doublings(row, slots)
    return frozenset(steps)


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> CKKSEvaluator:
    """Return the evaluator that `CKKSEvaluator.export` took apart."""
    return CKKSEvaluator(*storage.restore_keys(header, arrays))


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> CKKSSecretKey:
    """Return the key that `SecretKey.export` took apart."""
    return CKKSSecretKey.restored(*storage.restore_secret(header, arrays))


def _doublings(start: int, stop: int) -> set[int]:
    """Return start, 2 start, 4 start, ... below stop."""
    return {start << k for k in range((stop // start).bit_length()) if start << k < stop}
