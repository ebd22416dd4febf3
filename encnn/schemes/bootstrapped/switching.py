"""The two switches before a rotation: from the dimension of weights to the small one, then to positions in a table.

**Key switch.**  This is equation (9) in int32, to another dimension.  The small key s is the first n bits of T, as in
[TFHE-go], so the first n masks stay as they are.  Of the others it takes the balanced digits a_i = sum_t a_it g_t,
g_t = 2^-((t + 1) bits), and small encryptions K_it of T_i g_t:

    c' = (b ; a_0 ... a_(n-1)) + sum_(i >= n) sum_t a_it K_it    has the phase    b + sum_i T_i a_i + noise.

**Modulus switch.**  All entries are multiplied by 2 N / 2^32 and rounded.  The phase becomes a position from 0 to 2 N - 1.

[TFHE-go] https://github.com/sp301415/tfhe-go, tfhe/encryptor.go.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from encnn.arithmetic.placement import placed
from encnn.arithmetic.sampling import Randomness
from encnn.schemes.bootstrapped import engine
from encnn.schemes.bootstrapped.parameters import TORUS_BITS, BootstrappedParameters
from encnn.schemes.bootstrapped.rotation import decompose

LINE = 16
"""Number of int32 in a line of the cache."""


@dataclass(frozen=True)
class SmallSwitchKey:
    """Small encryptions of the entries of T beyond the small key."""

    parameters: BootstrappedParameters  # of the scheme
    seed: bytes  # public; the masks are expanded from it
    bodies: np.ndarray  # int32 of shape (d - n, levels)

    @property
    def nbytes(self) -> int:
        """Bytes in use, masks included."""
        return 4 * self.bodies.size * self.width

    @property
    def width(self) -> int:
        """Numbers in a row: 1 + n, filled up to whole lines of the cache, so that rows begin where vectors do."""
        return -(-(1 + self.parameters.n) // LINE) * LINE

    @cached_property
    def rows(self) -> np.ndarray:
        """The encryptions (b ; a) and zeros, int32 of shape (d - n, levels, width)."""
        rows = placed((*self.bodies.shape, self.width), np.int32)
        rows[..., 0], rows[..., 1 : 1 + self.parameters.n] = self.bodies, _masks(self.seed, self.parameters)
        rows[..., 1 + self.parameters.n :] = 0
        return rows


def make_small_switch_key(p: BootstrappedParameters, T: np.ndarray, randomness: Randomness) -> SmallSwitchKey:
    """Return encryptions of the entries of T, shape (d,), beyond the first n, under these.  Noise: `lwe_sigma`."""
    seed = randomness.token()
    noise = randomness.gaussian(p.lwe_sigma * 2.0**TORUS_BITS, (p.d - p.n, p.switch_levels))
    gadget = np.array([1 << (TORUS_BITS - p.switch_bits * (t + 1)) for t in range(p.switch_levels)])
    bodies = T[p.n :, None] * gadget + noise - _masks(seed, p) @ T[: p.n]
    return SmallSwitchKey(p, seed, bodies.astype(np.int32))


def switch_key(key: SmallSwitchKey, ciphertexts: np.ndarray) -> np.ndarray:
    """Return small ciphertexts, int32 of shape (B, 1 + n), with the phases of ciphertexts, int32 of shape (B, 1 + d).

    Noise: `noise.key_switch`.
    """
    p = key.parameters
    loops = engine.compiled(p.N, p.k)
    if loops is None:
        return switch_key_numpy(key, ciphertexts)
    out = placed((len(ciphertexts), key.width), np.int32)
    out[:, : 1 + p.n], out[:, 1 + p.n :] = ciphertexts[:, : 1 + p.n], 0
    loops.switch_key(np.ascontiguousarray(ciphertexts), key.rows, p.switch_bits, p.switch_levels, out)
    return out[:, : 1 + p.n]


def switch_key_numpy(key: SmallSwitchKey, ciphertexts: np.ndarray) -> np.ndarray:
    """Do what `switch_key` does, in numpy."""
    p = key.parameters
    digits = decompose(ciphertexts[:, 1 + p.n :], p.switch_bits, p.switch_levels)
    switched = np.tensordot(digits, key.rows[..., : 1 + p.n], axes=([2, 0], [0, 1])).astype(np.int32)
    return ciphertexts[:, : 1 + p.n] + switched


def to_positions(small: np.ndarray, N: int) -> np.ndarray:
    """Return small ciphertexts modulo 2 N instead of 2^32: int64 of the same shape.  Noise: `noise.modulus_switch`."""
    shift = TORUS_BITS - (2 * N).bit_length() + 1
    return (small.astype(np.int64) + (1 << (shift - 1)) >> shift) & (2 * N - 1)


def _masks(seed: bytes, p: BootstrappedParameters) -> np.ndarray:
    stream = Randomness.from_public_seed(b"masks of small switch key" + seed)
    return stream.words((p.d - p.n, p.switch_levels, p.n), TORUS_BITS).astype(np.int32)
