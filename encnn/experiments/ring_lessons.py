"""Small experiments of the notebooks on FV and YASHE: how many products, how digits spread, a hidden layer, depth by dimension.

Keys are drawn from a seeded generator where a notebook repeats; they are experimental and protect nothing.
"""

from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from encnn.errors import CiphertextOverflowError
from encnn.network import Network, TrainingPlan
from encnn.parties import Owner, Trainer
from encnn.parties.assistance.scores import DirectChannel
from encnn.parties.assistance.weights import WeightRefresh, weights_of
from encnn.schemes import ClearParameters, fv, yashe
from encnn.schemes.base import SecretKey
from encnn.schemes.bilinear import elementwise
from encnn.schemes.encoders import FractionalEncoder
from encnn.schemes.rings.array import RingArray
from encnn.schemes.rings.parameters import RingParameters, primes_of_bits
from encnn.schemes.rings.rns import Ring


def squarings(scheme: ModuleType, parameters: RingParameters) -> tuple[pd.DataFrame, str]:
    """Square a ciphertext until the bound refuses; return the budgets after every product, and the refusal.

    Columns parameters, depth, predicted_bits, measured_bits, wrong (entries that decrypt to another number).
    """
    p = parameters.updated(value_limit=1.0)
    secret, evaluator = scheme.make_keys(p, [4], [elementwise(4)], np.random.default_rng(4))
    v, rows = np.array([1.0, -1, 1, 0]), list[tuple[str, int, float, float, int]]()
    c = secret.encrypt(v)
    while True:
        wrong = int((secret.decrypt(c) != v ** (2 ** len(rows))).sum())
        rows.append((p.name, len(rows), c.noise_budget_bits, secret.measured_budget_bits(c), wrong))
        try:
            c = evaluator.multiply(c, c)
        except CiphertextOverflowError as error:
            columns = ["parameters", "depth", "predicted_bits", "measured_bits", "wrong"]
            return pd.DataFrame(rows, columns=columns), str(error)


def digit_growth(ring: Ring, shift: int, steps: int, start: float = 5.625) -> tuple[np.ndarray, pd.DataFrame]:
    """Repeat v <- v + v / 2^shift on the digits of a number in the plain ring, without any carry.

    Returns the coefficients, shape (steps, N), and columns read, wanted, right, where digits before X^(N/2) are read as the
    integer part.
    """
    encoder, half = FractionalEncoder(ring, 8), ring.N // 2
    m, rows, read = encoder.polynomials(encoder.encode(np.array([start])))[0], [], []
    for _ in range(steps):
        rows.append(ring.lift(m).ravel())
        read.append(encoder.decode(m, 1, 1, half, half - 1).item())
        m = ring.add(m, ring.shift(m, -shift))
    wanted = start * (1 + 2.0**-shift) ** np.arange(steps)
    right = np.isclose(read, wanted, rtol=1e-9)
    return np.array(rows), pd.DataFrame({"read": read, "wanted": wanted, "right": right})


def encrypted_digit_growth(secret: SecretKey, shift: int, start: float = 5.625) -> tuple[int, float, str]:
    """Repeat v <- v + v / 2^shift on a ciphertext until its bounds refuse.

    Returns the steps done, the relative error of the number then decrypted, and the refusal.
    """
    v, steps = secret.encrypt(np.array([start])), 0
    while True:
        try:
            v, steps = v + v / 2**shift, steps + 1
        except CiphertextOverflowError as error:
            wanted = start * (1 + 2.0**-shift) ** steps
            return steps, abs(float(secret.decrypt(v)[0]) / wanted - 1), str(error)


def hidden_layer_run(
    parameters: fv.FVParameters | yashe.YASHEParameters, start: Network, plan: TrainingPlan, X: np.ndarray, y: np.ndarray
) -> dict[str, object]:
    """Train a network with a hidden layer, the owner renewing its weights between mini-batches, beside the clear twin.

    Returns the ciphertexts that products made, the trips, the noise budget left, and the error of the weights in percent of
    their change.
    """
    owner = Owner(start.architecture, plan.sigmoid, parameters, insecure=True)
    model = owner.encrypt(start)
    side, made = owner.refresher(model, limit=4.0), _count_products(model.evaluator)
    refresh = WeightRefresh(model, DirectChannel(side))
    twin = Owner(start.architecture, plan.sigmoid, ClearParameters()).encrypt(start)
    for first in range(0, len(y), plan.batch_size):
        if first:
            refresh.now()
        batch = slice(first, first + plan.batch_size)
        for trained in (model, twin):
            Trainer(trained).train(X[batch], y[batch], plan)
    network, clear = owner.decrypt_network(model), twin.network
    W, W_clear, W_start = (np.concatenate([np.ravel(w) for w in weights_of(n)]) for n in (network, clear, start))
    error = np.linalg.norm(W - W_clear) / np.linalg.norm(W_clear - W_start)
    budget = model.network.W1.noise_budget_bits
    return {"products": sum(made), "trips": side.tally.trips, "budget left, bits": budget, "error, %": 100 * error}


def _count_products(evaluator: Any) -> list[int]:
    """Have the evaluator note how many ciphertexts each of its products makes, in the list returned."""
    made: list[int] = []
    multiply = evaluator.multiply_raw

    def multiply_raw(a: RingArray, b: RingArray) -> RingArray:
        product = multiply(a, b)
        made.append(product.ciphertexts)
        return product

    evaluator.multiply_raw = multiply_raw
    return made


def deepest(scheme: ModuleType, N: int) -> tuple[float, int] | tuple[None, None]:
    """Return the bits of the largest modulus of 28-bit primes with 128 bits of security, and the products that it allows.

    (None, None) where not even two primes are left.
    """
    found: tuple[float, int] | tuple[None, None] = (None, None)
    special = primes_of_bits(N, (28,))
    for count in range(1, 40):
        q = primes_of_bits(N, (28,) * count, special)
        t = primes_of_bits(N, (17,), (*special, *q))
        moduli = {"q_primes": q, "t_primes": t, "special_prime": special[0]}
        p = scheme.SCHEME.parameters(name="any-INSECURE", N=N, value_limit=1.0, **moduli)
        if p.security_bits < 128:
            break
        found = round(p.modulus_bits), p.depth
    return found
