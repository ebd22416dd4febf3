"""A small generated corpus whose signal is known, for first runs without a network and for fast tests.

Each review has 20 to 60 words.  A word is *leaning* with probability `LEANING_SHARE`, else neutral.  Neutral words are
drawn by Zipf's law, alike in both classes.  Leaning words come in pairs, one positive and one negative, with a strength
q > 1/2: a review draws the word of its own class with probability q and the other with 1 - q.  One sighting of a word
therefore shifts the log-odds of its class by exactly +-log(q / (1 - q)), and neutral words by nothing, so that the sum
over a review decides it as well as anything can (Bayes' rule; classes are equally frequent).

The words mean nothing.  Only `Generator.random` of numpy's PCG64 is drawn from, so the corpus is the same everywhere.
"""

from itertools import product

import numpy as np

NEUTRAL_WORDS = 300
STRENGTHS = tuple(float(q) for q in np.repeat([0.9, 0.8, 0.7], [10, 15, 15]))  # q of each leaning pair
LEANING_SHARE = 0.3
SHORTEST, LONGEST = 20, 60
SIZES = {"train": 1000, "test": 500}
_SEEDS = {"words": 0, "train": 1, "test": 2}
_SENTENCE = 12  # words between two full stops


def toy_reviews(part: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return texts and labels of one part, "train" (1,000) or "test" (500), in turn positive and negative.

    texts: in the paper's text form.  labels: int8 ndarray of shape (reviews,).
    """
    rng = np.random.Generator(np.random.PCG64(_SEEDS[part]))
    labels = np.tile(np.array([1, 0], dtype=np.int8), SIZES[part] // 2)
    lengths = SHORTEST + (rng.random(len(labels)) * (LONGEST - SHORTEST + 1)).astype(int)
    words = _draw_words(np.repeat(labels, lengths), rng)
    return tuple(_text(review) for review in np.split(words, np.cumsum(lengths)[:-1])), labels


def toy_log_odds() -> dict[str, float]:
    """Return what one sighting of each leaning word adds to the log-odds that its review is positive."""
    positive, negative, _ = _lexicon()
    shifts = np.log(np.array(STRENGTHS) / (1 - np.array(STRENGTHS))).tolist()
    return dict(zip(positive, shifts, strict=True)) | {word: -s for word, s in zip(negative, shifts, strict=True)}


def _draw_words(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one word for each entry of `labels`, the class of the review in which it stands."""
    positive, negative, neutral = (np.array(words) for words in _lexicon())
    leaning, place, agrees = rng.random((3, len(labels)))
    pair = (place * len(STRENGTHS)).astype(int)
    own_class = agrees < np.array(STRENGTHS)[pair]
    leaning_words = np.where(own_class == (labels == 1), positive[pair], negative[pair])
    zipf = np.cumsum(1 / (np.arange(NEUTRAL_WORDS) + 3.0))
    neutral_words = neutral[np.searchsorted(zipf, place * zipf[-1], side="right")]
    return np.where(leaning < LEANING_SHARE, leaning_words, neutral_words)


def _lexicon() -> tuple[list[str], list[str], list[str]]:
    """Return the positive, negative and neutral words; the more frequent a neutral word, the shorter it is."""
    syllables = ["".join(parts) for parts in product("bdfklmnprstv", "aeiou")]
    endings = ["", "", "l", "n", "r", "s", "th"]
    rng = np.random.Generator(np.random.PCG64(_SEEDS["words"]))
    words: dict[str, None] = {}  # a set that keeps its order
    needed = NEUTRAL_WORDS + 2 * len(STRENGTHS)
    while len(words) < needed:
        count = 1 + int(rng.random() * 3)
        stem = "".join(syllables[int(rng.random() * len(syllables))] for _ in range(count))
        words[stem + endings[int(rng.random() * len(endings))]] = None
    drawn = list(words)
    n_pairs = len(STRENGTHS)
    return drawn[:n_pairs], drawn[n_pairs : 2 * n_pairs], sorted(drawn[2 * n_pairs :], key=len)


def _text(words: np.ndarray) -> str:
    """Return words as sentences in the paper's text form, where blanks stand around full stops and two at the end."""
    sentences = [" ".join(words[start : start + _SENTENCE]) for start in range(0, len(words), _SENTENCE)]
    return " . ".join(sentences) + " .  "
