"""The owner's key of the scheme with bootstrapping: T, as for integer vectors, whose first n bits are the small key s.

T is block binary [LMSS23] (see `parameters`): at most one bit is set in each block.
"""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from encnn.arithmetic.negacyclic import multiply
from encnn.errors import CapabilityError
from encnn.schemes import integer_vector
from encnn.schemes.bootstrapped.blocks import BlockArray, BootstrappedContext, blocks_for, stride_of
from encnn.schemes.bootstrapped.bootstrap import BootstrapKey
from encnn.schemes.bootstrapped.parameters import HIDDEN_128, SECOND_LAYER_SCALE, TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.rotation import make_rotation_key
from encnn.schemes.bootstrapped.switching import make_small_switch_key
from encnn.schemes.bootstrapped.trace import make_trace_key
from encnn.schemes.integer_vector import CiphertextArray
from encnn.schemes.integer_vector.ciphertext import encode
from encnn.schemes.integer_vector.packing import PackedScores
from encnn.schemes.integer_vector.storage import expand_masks


class BootstrappedSecretKey(integer_vector.IntegerVectorSecretKey):
    """T of shape (1, k N).  Cut into k polynomials it is the GLWE key S, and its first n bits are the small key s.

    Numbers are encrypted one by one, width 1, or many at a time as the coefficients of blocks (`blocks`).  `rng` makes an
    experimental key that can be reproduced.
    """

    parameters: BootstrappedParameters
    context: BootstrappedContext

    def __init__(
        self, parameters: BootstrappedParameters, widths: Iterable[int] = (1,), rng: np.random.Generator | None = None
    ) -> None:
        if set(widths) - {1} and not parameters.has_fine:
            raise CapabilityError(
                f"scheme 'bootstrapped' encrypts numbers one by one, not vectors of widths {sorted(set(widths))}: use width 1, "
                "that of networks with one output and no hidden layer (network.folded can fold a public second layer in), or "
                f"for a hidden layer the parameters {HIDDEN_128.name!r} (encnn.schemes.bootstrapped.HIDDEN_128)"
            )
        super().__init__(parameters, {1} if parameters.has_fine else widths, rng)  # vectors are numbers, one by one

    @staticmethod
    def matrices_for(widths: set[int]) -> set[int]:
        """Return {1}: vectors are encrypted number by number."""
        return {1}

    @property
    def s(self) -> np.ndarray:
        """The small key, int64 of shape (n,): the first bits of T."""
        return self.T(1)[0, : self.parameters.n]

    def _draw_matrix(self, m: int) -> np.ndarray:
        """Return a new T, int64 of shape (m, d): each row in blocks of bits, the last one cut where d ends."""
        p = self.parameters
        chosen = self._randomness.integers(0, p.block + 1, (m, -(-p.d // p.block), 1))
        return (chosen == np.arange(p.block)).astype(np.int64).reshape(m, -1)[:, : p.d]  # chosen = block: an empty block

    def bootstrap_key(self) -> BootstrapKey:
        """Return the public key with which anyone bootstraps.

        It encrypts s under T, and the bits of T beyond s under s.  That this is safe is the usual assumption of circular
        security.
        """
        p, T, S = self.parameters, self.T(1)[0], self.polynomials
        switch = make_small_switch_key(p, T, self._randomness)
        rotation = make_rotation_key(p, self.s, S, self._randomness)
        trace = make_trace_key(p, S, self._randomness)
        fine = make_rotation_key(p.fine, self.s, S, self._randomness) if p.has_fine else None
        return BootstrapKey(switch, rotation, trace, fine)

    # -- blocks of numbers

    @property
    def polynomials(self) -> np.ndarray:
        """The GLWE key S, int64 of shape (k, N): T cut into polynomials."""
        return self.T(1).reshape(self.parameters.k, self.parameters.N)

    def encrypt(self, v: np.ndarray) -> Any:
        """Return fresh ciphertexts of numbers, shape (..., 1), or a block for a vector, shape (m,), which is a second layer."""
        if np.ndim(v) == 1 and self.parameters.has_fine:
            return self._in_blocks(np.asarray(v), SECOND_LAYER_SCALE)
        return super().encrypt(v)

    def encrypt_many(self, v: np.ndarray) -> BlockArray:
        """Return fresh encryptions of real numbers v, shape (rows, width), as the coefficients of blocks."""
        return self._in_blocks(np.asarray(v), self.parameters.scale)

    def _in_blocks(self, v: np.ndarray, scale: int) -> BlockArray:
        """Return fresh encryptions of rows of real numbers in blocks.

        Noise: at most `noise_bound`.  Masks are expanded from a fresh public seed, so that files need not store them.
        """
        p, rows, row = self.parameters, len(v), v.shape[1:]
        stride = stride_of(math.prod(row))
        phase = np.zeros(blocks_for(rows * stride, p.N) * p.N, np.int64)
        phase[: rows * stride].reshape(rows, stride)[:, : math.prod(row)] = encode(v.reshape(rows, -1), p, scale)[0]
        seed = self._randomness.token()
        data = np.empty((len(phase) // p.N, p.k + 1, p.N), np.int64)
        data[:, 1:] = expand_masks(seed, (len(data),), p).reshape(-1, p.k, p.N)
        data[:, 0] = phase.reshape(-1, p.N) + self._noise((len(data), p.N)) - self._masked(data)
        value = 2.0 ** (TORUS_BITS - 1) / scale  # not measured, because that would tell something about the numbers
        return BlockArray(data.astype(np.int32), rows, self.context, value, p.noise_bound, None, seed, row, scale)

    def decrypt(self, c: CiphertextArray | BlockArray | PackedScores) -> np.ndarray:
        """Return the real numbers, shape (..., 1), or the shape of an array in blocks."""
        if not isinstance(c, BlockArray):
            return super().decrypt(c)
        self._check_own(c.context)
        phases = self.glwe_phase(c.data).ravel()
        return phases[c.entries()].reshape(c.shape) / c.scale

    def glwe_phase(self, data: np.ndarray) -> np.ndarray:
        """Return the phases of GLWE ciphertexts, int32 of shape (B, k+1, N): int32 of shape (B, N), in units of 2^-32."""
        return (data[:, 0] + self._masked(data)).astype(np.int32)

    def _masked(self, data: np.ndarray) -> np.ndarray:
        """Return sum_j a_j S_j modulo 2^32, int64 of shape (B, N)."""
        return multiply(data[:, 1:].astype(np.int64), self.polynomials, TORUS_BITS).sum(axis=1)

    # -- looking inside a bootstrap, for the owner

    def small_phase(self, small: np.ndarray) -> np.ndarray:
        """Return the phases of small ciphertexts, int32 of shape (B, 1 + n), in units of z: shape (B,)."""
        phase = (small[:, 0] + small[:, 1:].astype(np.int64) @ self.s).astype(np.int32)
        return phase / self.parameters.scale

    def position(self, positions: np.ndarray) -> np.ndarray:
        """Return the table positions, from 0 to 2 N - 1, of ciphertexts modulo 2 N of shape (B, 1 + n): shape (B,)."""
        return (positions[:, 0] + positions[:, 1:] @ self.s) % (2 * self.parameters.N)

    def position_z(self, positions: np.ndarray) -> np.ndarray:
        """Return the same positions as scores z, from -2^(z_bits - 1) to 2^(z_bits - 1)."""
        p = self.parameters
        m = self.position(positions)
        return np.where(m < p.N, m, m - 2 * p.N) * p.step

    def torus_phase(self, data: np.ndarray) -> np.ndarray:
        """Return the phases of ciphertexts, int32 of shape (B, 1 + d), as fractions of the torus in [-1/2, 1/2)."""
        phase = (data[:, 0] + data[:, 1:].astype(np.int64) @ self.T(1)[0]).astype(np.int32)
        return phase * 2.0**-TORUS_BITS
