"""The ring Z_q[X]/(X^N + 1), and what the schemes built on it share.

Read in this order: `reference` (the ring as one learns it), `primes`, `ntt` (the transform), `rns` (many primes, exactly),
`compiled` (the same loops by numba); `parameters`, `array` (ciphertexts, additions), `switching` (key switches), `evaluator`,
`secret`, `storage`, `factory` (making keys, reading files).
"""
