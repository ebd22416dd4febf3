"""Making and restoring the two sides of a key."""

from collections.abc import Iterable, Sequence

import numpy as np

from encnn.errors import CapabilityError, FileError
from encnn.schemes.bilinear import elementwise
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey
from encnn.schemes.bootstrapped.evaluator import BootstrappedEvaluator
from encnn.schemes.bootstrapped.keys import SecretKey
from encnn.schemes.bootstrapped.parameters import Parameters
from encnn.schemes.bootstrapped.rotation import RotationKey
from encnn.schemes.bootstrapped.switching import SmallSwitchKey
from encnn.schemes.bootstrapped.trace import TraceKey, key_shape
from encnn.schemes.integer_vector import storage
from encnn.schemes.powers import PowerSum, Product


def make_keys(
    parameters: Parameters,
    widths: Iterable[int] = (1,),
    products: Sequence[Product] = (),
    rng: np.random.Generator | None = None,
    public_widths: Iterable[int] = (),
) -> tuple[SecretKey, BootstrappedEvaluator]:
    """Return a new secret key and its evaluator; makes the bootstrap key, in seconds.

    widths: {1}.  products: none of two ciphertexts, and powers of one need no key, since a table has them.  public_widths:
    none.
    """
    refused = [f.name for f in products if not isinstance(f, PowerSum) and f.name != elementwise(1).name]
    if set(widths) - {1} or refused or set(public_widths):
        raise CapabilityError(
            f"scheme 'bootstrapped' has no keys for products {refused}, widths {sorted(set(widths))}, public widths "
            f"{sorted(set(public_widths))}: it trains networks of one output without hidden layer (network.folded folds a "
            "public second layer in); for others use the scheme 'integer_vector' without modulus"
        )
    secret = SecretKey(parameters, (1,), rng)
    return secret, BootstrappedEvaluator(secret.context, secret.bootstrap_key())


def restore_evaluator(header: dict, arrays: dict[str, np.ndarray], products: Sequence[Product]) -> BootstrappedEvaluator:
    """Return the evaluator that its `export` took apart."""
    context = storage.restore_context(header, Parameters)
    p: Parameters = context.parameters  # type: ignore[assignment]
    _check_names(arrays, {"rotation", "switch", "trace"})
    storage.check_array("rotation key", arrays["rotation"], (p.n, p.rotation_levels, p.k + 1, p.N))
    storage.check_array("switch key", arrays["switch"], (p.d, p.switch_levels), np.int32)
    storage.check_array("trace key", arrays["trace"], key_shape(p))
    switch = SmallSwitchKey(p, storage.restore_seed(header.get("switch_seed")), arrays["switch"])
    rotation = RotationKey(p, storage.restore_seed(header.get("rotation_seed")), arrays["rotation"])
    trace = TraceKey(p, storage.restore_seed(header.get("trace_seed")), arrays["trace"])
    return BootstrappedEvaluator(context, BootstrapKey(switch, rotation, trace))


def restore_secret_key(header: dict, arrays: dict[str, np.ndarray]) -> SecretKey:
    """Return the secret key that `SecretKey.export` took apart."""
    context = storage.restore_context(header, Parameters)
    p: Parameters = context.parameters  # type: ignore[assignment]
    _check_names(arrays, {"T_1", "T_small"})
    for name, shape in (("T_1", (1, p.d)), ("T_small", (p.n,))):
        storage.check_array(name, arrays[name], shape)
        if not np.isin(arrays[name], (0, 1)).all():
            raise FileError(f"{name} holds other numbers than 0 and 1; restore the file from a backup")
    if arrays["T_small"].reshape(-1, p.block).sum(axis=1).max() > 1:
        raise FileError("T_small has a block with more than one bit set; restore the file from a backup")
    return SecretKey.from_parts(context, arrays["T_1"], arrays["T_small"])


def _check_names(arrays: dict[str, np.ndarray], expected: set[str]) -> None:
    if set(arrays) != expected:
        raise FileError(
            f"the file holds the arrays {', '.join(arrays):.200}, expected {', '.join(sorted(expected))}; get a new one"
        )
