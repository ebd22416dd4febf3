"""The owner's key of the scheme with bootstrapping: T, as for integer vectors, and the bits s of the small dimension.

s is block binary [LMSS23] (`parameters`): in each block of bits at most one is set.
"""

from collections.abc import Iterable

import numpy as np

from encnn.errors import CapabilityError
from encnn.schemes import integer_vector
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, Parameters
from encnn.schemes.bootstrapped.rotation import make_rotation_key
from encnn.schemes.bootstrapped.switching import make_small_switch_key
from encnn.schemes.integer_vector import Context


class SecretKey(integer_vector.SecretKey):
    """T of shape (1, k N), which is also the GLWE key S of k polynomials, and the small key s of n bits.

    Numbers are encrypted one by one, width 1.  `rng` makes an experimental key that repeats.
    """

    parameters: Parameters

    def __init__(self, parameters: Parameters, widths: Iterable[int] = (1,), rng: np.random.Generator | None = None) -> None:
        if set(widths) - {1}:
            raise CapabilityError(
                f"scheme 'bootstrapped' encrypts numbers one by one, not vectors of widths {sorted(set(widths))}: use one "
                "output and no hidden layer (network.folded folds a public second layer in), or the scheme 'integer_vector'"
            )
        super().__init__(parameters, widths, rng)
        chosen = self._randomness.integers(0, parameters.block + 1, (parameters.n // parameters.block, 1))
        self._s = (chosen == np.arange(parameters.block)).astype(np.int64).ravel()  # the last case leaves a block empty

    @classmethod
    def from_parts(cls, context: Context, T: np.ndarray, s: np.ndarray) -> "SecretKey":
        """Return the key with given T, shape (1, d), and s, shape (n,), as read from a file."""
        key = cls(context.parameters, ())  # type: ignore[arg-type]
        key.context, key._T, key._s = context, {1: T}, s
        return key

    def export(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Return (header, arrays): *the secret*, in arrays named T_..., as `Owner.save_secret` expects."""
        header, arrays = super().export()
        return header, arrays | {"T_small": self._s}

    def bootstrap_key(self) -> BootstrapKey:
        """Return the public key with which anyone bootstraps.

        It encrypts s under T and T under s: that this is safe is the usual assumption of circular security.
        """
        p, T = self.parameters, self.T(1)[0]
        switch = make_small_switch_key(p, self._s, T, self._randomness)
        return BootstrapKey(switch, make_rotation_key(p, self._s, T.reshape(p.k, p.N), self._randomness))

    # -- looking inside a bootstrap, for the owner

    def small_phase(self, small: np.ndarray) -> np.ndarray:
        """Return the phases of small ciphertexts, int32 of shape (B, 1 + n), in units of z: shape (B,)."""
        phase = (small[:, 0] + small[:, 1:].astype(np.int64) @ self._s).astype(np.int32)
        return phase / self.parameters.scale

    def position(self, positions: np.ndarray) -> np.ndarray:
        """Return where tables are read, from 0 to 2 N - 1, of ciphertexts modulo 2 N of shape (B, 1 + n): shape (B,)."""
        return (positions[:, 0] + positions[:, 1:] @ self._s) % (2 * self.parameters.N)

    def position_z(self, positions: np.ndarray) -> np.ndarray:
        """Return the same as scores z, from -2^(z_bits - 1) on."""
        p = self.parameters
        m = self.position(positions)
        return np.where(m < p.N, m, m - 2 * p.N) * p.step

    def torus_phase(self, data: np.ndarray) -> np.ndarray:
        """Return the phases of ciphertexts, int32 of shape (B, 1 + d), as fractions of the torus in [-1/2, 1/2)."""
        phase = (data[:, 0] + data[:, 1:].astype(np.int64) @ self.T(1)[0]).astype(np.int32)
        return phase * 2.0**-TORUS_BITS
