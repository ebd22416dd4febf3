"""The small task of the schemes whose rows of weights are large: few reviews, few words, logistic regression.

The data are the toy corpus and, if available, the first 1,000 real reviews over the 300 most frequent words that lean.
"""

from encnn.arithmetic.sigmoid import taylor
from encnn.data.datasets import Dataset, bags_of_words
from encnn.data.reviews import Vocabulary, load_reviews
from encnn.experiments.console import load_or_toy
from encnn.network import TrainingPlan

REVIEWS = 1000
WORDS = 300
MIN_COUNT, POLARITY_CUTOFF = 50, 0.5
PLANS = {
    "toy": TrainingPlan(taylor(1), 2.0**-8, batch_size=250),
    "real": TrainingPlan(taylor(1), 2.0**-6, batch_size=250, epochs=2),
}
"""Rates are powers of two and the sigmoid is of degree 1, so training takes sums and plain factors only."""


def datasets() -> dict[str, Dataset]:
    """Return the toy corpus, and the real one if its files exist."""
    toy = load_reviews("toy")
    found = {"toy": bags_of_words(toy, Vocabulary.select(toy.train)).first(REVIEWS)}
    real = load_or_toy("imdb")
    if real.is_real:
        found["real"] = bags_of_words(real, Vocabulary.select(real.train, MIN_COUNT, POLARITY_CUTOFF, WORDS)).first(REVIEWS)
    return found
