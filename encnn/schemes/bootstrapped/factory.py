"""Make and restore both sides of a key: the owner's `BootstrappedSecretKey` and the public `BootstrappedEvaluator`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from encnn.errors import CapabilityError, FileError
from encnn.files.schema import Hex32, check_array, check_names, parse
from encnn.schemes.bilinear import elementwise
from encnn.schemes.bootstrapped.blocks import BootstrappedContext
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey
from encnn.schemes.bootstrapped.evaluator import BootstrappedEvaluator
from encnn.schemes.bootstrapped.hidden import Ranges
from encnn.schemes.bootstrapped.keys import BootstrappedSecretKey
from encnn.schemes.bootstrapped.parameters import HIDDEN_128, BootstrappedParameters
from encnn.schemes.bootstrapped.rotation import RotationKey
from encnn.schemes.bootstrapped.switching import SmallSwitchKey
from encnn.schemes.bootstrapped.trace import TraceKey, key_shape
from encnn.schemes.integer_vector import storage
from encnn.schemes.powers import PowerSum, Product


def make_keys(
    parameters: BootstrappedParameters,
    widths: Iterable[int] = (1,),
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
    features: int = 1,
) -> tuple[BootstrappedSecretKey, BootstrappedEvaluator]:
    """Return a new secret key and its evaluator.  Making the bootstrap key takes some seconds.

    Products of ciphertexts need a second rotation key in the parameters, and so do vectors; one set of keys serves all of
    them, so `widths` and `products` only say what is wanted.  Powers of a number need no key, since a table has them.
    public_widths: none.  features: any number.
    """
    refused = [f.name for f in products if not isinstance(f, PowerSum) and f.name != elementwise(1).name]
    if set(public_widths) or ((set(widths) - {1} or refused) and not parameters.has_fine):
        raise CapabilityError(
            f"scheme 'bootstrapped' has no keys for products {refused}, widths {sorted(set(widths))}, public widths "
            f"{sorted(set(public_widths))}: with {parameters.name!r} it trains networks with one output and no hidden layer "
            "(network.folded can fold a public second layer into the first); use Architecture(features, hidden=0, outputs=1, "
            f"pooling='sum'), one for each class, or for a hidden layer the parameters {HIDDEN_128.name!r} "
            "(encnn.schemes.bootstrapped.HIDDEN_128), and leave public=True out"
        )
    secret = BootstrappedSecretKey(parameters, (1,), rng)
    return secret, BootstrappedEvaluator(secret.context, secret.bootstrap_key())


@dataclass(frozen=True)
class BootstrappedSecretHeader(storage.IntegerVectorKeyHeader):
    """The header of a secret key of this scheme."""

    parameters: BootstrappedParameters  # the parameter set


@dataclass(frozen=True)
class BootstrappedEvaluatorHeader(BootstrappedSecretHeader):
    """The header of evaluation keys.  Each seed expands to the masks of one key."""

    rotation_seed: Hex32  # of the rotation key
    switch_seed: Hex32  # of the key switch to the small dimension
    trace_seed: Hex32  # of the trace key
    fine_seed: Hex32 | None  # of the second rotation key
    ranges: Ranges  # of the numbers of a hidden layer


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> BootstrappedEvaluator:
    """Return the evaluator that its `export` took apart."""
    described = parse(BootstrappedEvaluatorHeader, header, "the description of the keys")
    p = described.parameters
    if p.has_fine != (described.fine_seed is not None):
        raise FileError("the second rotation key does not fit its parameters; get a new file from its sender")
    check_names("the file", arrays, {"rotation", "switch", "trace"} | ({"fine"} if p.has_fine else set()))
    rotation = _rotation_key(p, described.rotation_seed, arrays["rotation"])
    fine = None if described.fine_seed is None else _rotation_key(p.fine, described.fine_seed, arrays["fine"])
    check_array("switch key", arrays["switch"], (p.d - p.n, p.switch_levels), np.int32)
    check_array("trace key", arrays["trace"], key_shape(p))
    switch = SmallSwitchKey(p, bytes.fromhex(described.switch_seed), arrays["switch"])
    context = BootstrappedContext(p, described.key_id)
    trace = TraceKey(p, bytes.fromhex(described.trace_seed), arrays["trace"])
    return BootstrappedEvaluator(context, BootstrapKey(switch, rotation, trace, fine), ranges=described.ranges)


def _rotation_key(p: BootstrappedParameters, seed: str, bodies: np.ndarray) -> RotationKey:
    """Return a rotation key of checked shape."""
    check_array("rotation key", bodies, (p.n, p.rotation_levels, p.k + 1, p.N))
    return RotationKey(p, bytes.fromhex(seed), bodies)


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> BootstrappedSecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    described = parse(BootstrappedSecretHeader, header, "the description of the secret key")
    p = described.parameters
    check_names("the file", arrays, {"T_1"})
    T = check_array("T_1", arrays["T_1"], (1, p.d), np.int64, 0, 1)
    if np.add.reduceat(T[0], np.arange(0, p.d, p.block)).max() > 1:
        raise FileError("T_1 has a block with more than one bit set; restore the file from a backup")
    return BootstrappedSecretKey.from_matrices(BootstrappedContext(p, described.key_id), {1: T})
