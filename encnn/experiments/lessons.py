"""Small experiments of the notebooks: the noise of integer vectors under many keys, and how sigmoids fare in training.

Keys are drawn from a seeded generator, so that a notebook repeats; they are experimental and protect nothing.  Noise is in
units of the phase S c; "bits" are log2 of its size.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from encnn.arithmetic.digits import digits
from encnn.arithmetic.sigmoid import PolynomialSigmoid, Sigmoid
from encnn.data.reviews import Reviews, Vocabulary, bag_of_words
from encnn.errors import DivergenceError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import Evaluation, Owner, Trainer
from encnn.schemes import ClearParameters
from encnn.schemes.integer_vector import PAPER, IntegerVectorEvaluator, IntegerVectorSecretKey, make_keys
from encnn.schemes.integer_vector.ciphertext import CiphertextArray
from encnn.schemes.integer_vector.parameters import IntegerVectorParameters

Step = Callable[[CiphertextArray], CiphertextArray]
"""One operation on a ciphertext."""


def E_variance(parameters: IntegerVectorParameters) -> float:
    """Return the variance of an entry of E, which is uniform on the integers in [-E_bound, E_bound]."""
    return ((2 * parameters.E_bound + 1) ** 2 - 1) / 12


def encryption_deviation(parameters: IntegerVectorParameters, width: int, largest: int) -> float:
    """Return the predicted standard deviation of E c* for messages that are uniform on the integers in [-largest, largest]."""
    phases = np.arange(-largest, largest + 1)[:, None] << parameters.w_bits
    c_star = digits(phases, parameters.base_bits, parameters.n_digits, parameters.balanced).astype(float)
    return float(np.sqrt(width * (c_star**2).mean(axis=0).sum() * E_variance(parameters)))


def encryption_noise(
    parameters: IntegerVectorParameters, width: int, largest: int, keys: int, messages: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the noise of deterministic encryptions of such messages under many keys, shape (keys, messages, width)."""
    noise = []
    for _ in range(keys):
        secret, public = make_keys(parameters, [width], rng=rng, public_widths=[width])
        x = rng.integers(-largest, largest + 1, (messages, width))
        noise.append(secret.measure_noise(public.encrypt_deterministic(x), x))
    return np.array(noise)


def switch_noise(
    parameters: IntegerVectorParameters, m: int, keys: int, messages: int, seed: int, low: int = -(2**26)
) -> pd.DataFrame:
    """Return the noise that key switches add to vectors uniform on [low, 2^26), as columns key, entry, noise, predicted.

    predicted: the standard deviation of E c* for the digits that the ciphertext of that line really has.
    """
    rng, parts = np.random.default_rng(seed), []
    for key in range(keys):
        old, new = IntegerVectorSecretKey(parameters, [m], rng), IntegerVectorSecretKey(parameters, [m], rng)
        x = rng.integers(low, 2**26, (messages, m))
        c = old.encrypt(x)
        switched = IntegerVectorEvaluator(new.context).switch(c, old.re_key(new, m))
        added = new.measure_noise(switched, x) - old.measure_noise(c, x)
        c_star = digits(c.data, parameters.base_bits, parameters.n_digits, parameters.balanced).astype(float)
        sd = np.sqrt((c_star**2).sum(axis=1) * E_variance(parameters))
        entries = {"key": key, "entry": np.tile(range(m), messages), "noise": added.ravel(), "predicted": np.repeat(sd, m)}
        parts.append(pd.DataFrame(entries))
    return pd.concat(parts, ignore_index=True)


def neutral_steps(secret: IntegerVectorSecretKey, evaluator: IntegerVectorEvaluator, x: np.ndarray) -> dict[str, Step]:
    """Return operations that leave the values x as they are, so that only noise grows; x holds equal numbers.

    add: an encryption of zero.  times 2: twice the ciphertext, less an encryption of x.  linear: the entries in rotated order.
    product: entry by entry with an encryption of x, which leaves x where its entries are 1.
    """
    rotation = secret.linear_key(np.roll(np.eye(x.shape[-1], dtype=int), 1, axis=0))
    return {
        "add": lambda c: c + secret.encrypt(0 * x),
        "times 2": lambda c: c * 2 - secret.encrypt(x),
        "linear": lambda c: evaluator.linear(c, rotation),
        "product": lambda c: evaluator.multiply(c, secret.encrypt(x)),
    }


def chain(secret: IntegerVectorSecretKey, step: Step, count: int, x: np.ndarray) -> pd.DataFrame:
    """Apply a step `count` times to an encryption of x; return columns count, predicted_bits, measured_bits, right.

    predicted_bits: of the bound, which needs no key.  measured_bits: of the largest noise in the batch.  right: whether all
    integers decrypt rightly.
    """
    c, rows = secret.encrypt(x), []
    for k in range(count + 1):
        largest = np.abs(secret.measure_noise(c, x)).max()
        right = bool((secret.decrypt_integers(c) == c.scale * x).all())
        rows.append((k, np.log2(c.noise), np.log2(largest), right))
        c = step(c)
    return pd.DataFrame(rows, columns=["count", "predicted_bits", "measured_bits", "right"])


def budgets(table: pd.DataFrame, limit_bits: float) -> pd.DataFrame:
    """Return a `chain` that shows the remaining budget and not the noise: guaranteed_bits and measured_bits."""
    left = {"guaranteed_bits": limit_bits - table.predicted_bits, "measured_bits": limit_bits - table.measured_bits}
    return table.drop(columns="predicted_bits").assign(**left)


def watched_run(reviews: Reviews, sigmoid: Sigmoid, learning_rate: float) -> Evaluation:
    """Train a network of eight hidden units in the clear for two epochs, watched by its owner; return what the owner reads.

    The owner stops a lost run.  The errors are those of `Owner.watch`.
    """
    vocabulary = Vocabulary.select(reviews, min_count=20)
    architecture = Architecture(len(vocabulary), hidden=8)
    plan = TrainingPlan(sigmoid, learning_rate, epochs=2)
    owner = Owner(architecture, sigmoid, ClearParameters())
    trainer = Trainer(owner.encrypt(Network.initial(architecture, np.random.default_rng(1))))
    with np.errstate(over="ignore", invalid="ignore"):  # a lost run may overflow before the owner looks again
        scores = trainer.train(bag_of_words(reviews, vocabulary), reviews.labels, plan, on_scores=owner.watch(plan))
    return owner.evaluate(scores, reviews.labels, plan)


def outcome(reviews: Reviews, sigmoid: Sigmoid, learning_rate: float) -> str:
    """Return the accuracy of a watched run, or where it was lost."""
    try:
        return f"{watched_run(reviews, sigmoid, learning_rate).accuracy.percent:.1f} %"
    except DivergenceError as error:
        return "lost" + str(error).split(":")[0].removeprefix("training diverged")


def first_scores(reviews: Reviews, sigmoid: Sigmoid, learning_rate: float, count: int) -> np.ndarray:
    """Return the scores of the first `count` reviews of such a run, shape (count,); nobody watches."""
    vocabulary = Vocabulary.select(reviews, min_count=20)
    network = Network.initial(Architecture(len(vocabulary)), np.random.default_rng(1))
    owner = Owner(network.architecture, sigmoid, ClearParameters())
    plan = TrainingPlan(sigmoid, learning_rate)
    scores = Trainer(owner.encrypt(network)).train(bag_of_words(reviews, vocabulary)[:count], reviews.labels[:count], plan)
    return np.asarray(scores)[:, 0]


def two_errors(sigmoid: PolynomialSigmoid, radius: float, points: int = 161) -> pd.DataFrame:
    """Return the errors of a polynomial evaluated on ciphertexts of the paper's parameters, on a grid over [-radius, radius].

    Columns z, encryption (of the decrypted value against p(z)) and approximation (of p(z) against the sigmoid).
    """
    grid = np.linspace(-radius, radius, points)[:, None]
    owner = Owner(Architecture(1, hidden=0), sigmoid, PAPER, rng=np.random.default_rng(5), insecure=True)
    decrypted = owner.decrypt(owner.evaluator.activate(sigmoid, owner.secret_key.encrypt(grid)))
    encryption, approximation = np.abs(decrypted - sigmoid(grid)), np.abs(sigmoid.error(grid))
    return pd.DataFrame({"z": grid[:, 0], "encryption": encryption[:, 0], "approximation": approximation[:, 0]})
