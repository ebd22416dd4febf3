"""Recipes and fingerprints: features of another vocabulary of the same size are refused by everybody who meets them."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from encnn import files
from encnn.arithmetic.sigmoid import taylor
from encnn.data.batches import Conditioned, with_bias
from encnn.data.fingerprints import MarkedFeatures, fingerprint_of, fingerprint_of_names, marked, width_of
from encnn.data.recipes import ClassFeatures, Recipe, ScaledFeatures, TableFeatures, UnpublishedFeatures, WordFeatures
from encnn.data.reviews import Reviews, Vocabulary, bag_of_words
from encnn.data.whole_numbers import Scaling
from encnn.errors import CapabilityError, DataError, FileError
from encnn.network import Architecture, Network, TrainingPlan
from encnn.parties import EncryptedModel, Owner, Trainer, User
from encnn.parties.model import MODEL, SCORES
from encnn.schemes.integer_vector import PAPER

TEXTS = ("a good film .", "a bad film .", "good good .", "bad a")
LABELS = [1, 0, 1, 0]
REVIEWS = Reviews(TEXTS, LABELS)
WORDS = Vocabulary((".", "a", "bad", "film", "good"))
OTHERS = Vocabulary((".", "a", "awful", "film", "good"))
SCALING = Scaling((35.5, 1.7), (12.25, 0.1), largest=7, bias=2)
PLAN = TrainingPlan(taylor(1), 0.1)

RECIPES: dict[str, Recipe] = {
    "words": WordFeatures(WORDS),
    "counts": WordFeatures(WORDS, counts=True),
    "bias": WordFeatures(WORDS, bias=True),
    "both, as they are": WordFeatures(WORDS, counts=True, bias=True, raw=False),
    "grams": WordFeatures(Vocabulary(("a", "bad film", "film", "good")), grams=True),
    "table": TableFeatures(("age", "height")),
    "scaled": ScaledFeatures(("age", "height"), SCALING),
    "classes of words": ClassFeatures(WordFeatures(WORDS, bias=True), ("bad", "good", "fair")),
    "classes of numbers": ClassFeatures(ScaledFeatures(("age", "height"), SCALING), (0, 1, 7)),
    "two classes": ClassFeatures(ScaledFeatures(("age", "size"), SCALING), (False, True)),
    "unpublished": UnpublishedFeatures(WordFeatures(WORDS).fingerprint),
}


def owner_of(recipe: Recipe | None, width: int = 5) -> Owner:
    return Owner(Architecture(width, hidden=0, pooling="sum"), taylor(1), PAPER, features=recipe)


def model_of(owner: Owner) -> EncryptedModel:
    return owner.encrypt(Network.initial(owner.architecture, np.random.default_rng(0), first_layer_sd=1.0))


@pytest.fixture(scope="module")
def owner() -> Owner:
    return owner_of(WordFeatures(WORDS))


def test_fingerprints_differ_by_words_order_rule_and_bias() -> None:
    found = [recipe.fingerprint for name, recipe in RECIPES.items() if name != "unpublished"]
    found += [fingerprint_of_names("table", WORDS.words), fingerprint_of_names("table", WORDS.words[::-1])]
    found += [fingerprint_of_names("words", names) for names in (OTHERS.words, ("ab", "c"), ("a", "bc"))]
    assert len(set(found)) == len(found)
    assert [width_of(f) for f in found[:6]] == [5, 5, 6, 6, 4, 2]
    with pytest.raises(DataError, match="is not a fingerprint"):
        width_of("words:5")


def test_bags_carry_their_fingerprint_as_long_as_they_are_what_it_says() -> None:
    X = bag_of_words(REVIEWS, WORDS)
    known = WordFeatures(WORDS).fingerprint
    for same in (X, X[1:], X[[2, 0]], X[np.array([True, False, True, False])], X.copy(), pickle.loads(pickle.dumps(X))):
        assert fingerprint_of(same) == known and type(same) is MarkedFeatures
    assert fingerprint_of(with_bias(X)) == known + "+bias" == WordFeatures(WORDS, bias=True).fingerprint
    for other in (X[:, ::-1], X * 2, X.astype(float), csr_array(X), X.toarray(), with_bias(with_bias(X)), X[0]):
        assert fingerprint_of(other) is None
    assert np.array_equal(X.toarray(), bag_of_words(TEXTS, WORDS).toarray())
    assert np.shares_memory(marked(X, known).data, X.data)


def test_columns_of_a_data_frame_have_a_fingerprint() -> None:
    table = pd.DataFrame({"age": [1.0, 2.0], "height": [3.0, 4.0], "fingerprint": [0.0, 0.0]})
    recipe = TableFeatures(("height", "age"))
    assert fingerprint_of(recipe(table)) == recipe.fingerprint != fingerprint_of(table[["age", "height"]])
    assert recipe(table).to_numpy().tolist() == [[3.0, 1.0], [4.0, 2.0]]
    assert fingerprint_of(pd.DataFrame(np.zeros((2, 2)))) is fingerprint_of(np.zeros((2, 2))) is None
    for wrong in (table.drop(columns="age"), np.zeros((2, 2))):
        with pytest.raises(DataError, match="lacks the columns"):
            recipe(wrong)
    for columns in ((), ("a", "a"), (1,)):
        with pytest.raises(DataError, match="expected distinct names"):
            TableFeatures(columns)


def test_words_make_the_features_of_raw_texts_and_of_reviews() -> None:
    recipe = WordFeatures(WORDS, counts=True)
    expected = bag_of_words(REVIEWS, WORDS, counts=True)
    assert np.array_equal(recipe(REVIEWS).toarray(), expected.toarray())
    assert recipe(["Bad, BAD film!"]).toarray()[0].tolist() == [0, 0, 2, 1, 0]
    assert WordFeatures(WORDS, raw=False)(["Bad bad"]).toarray()[0].tolist() == [0, 0, 1, 0, 0]
    assert WordFeatures(WORDS, bias=True)(REVIEWS).toarray()[:, -1].tolist() == [1, 1, 1, 1]
    assert RECIPES["grams"](["Bad film; a bad, bad film!"]).toarray()[0].tolist() == [1, 1, 1, 0]
    with pytest.raises(DataError, match="a single string"):
        recipe("a film")
    with pytest.raises(CapabilityError, match="ask the owner for the vocabulary"):
        UnpublishedFeatures(recipe.fingerprint)(["a film"])


def test_features_of_another_vocabulary_are_refused_by_trainer_and_user(owner: Owner) -> None:
    trainer = Trainer(model_of(owner))
    table = pd.DataFrame([[0] * 5], columns=list("abcde"))
    others = bag_of_words(REVIEWS, OTHERS)
    for X in (others, Conditioned(others), bag_of_words(REVIEWS, WORDS, counts=True), table):
        for action in (
            lambda X=X: trainer.train(X, LABELS, PLAN),
            lambda X=X: trainer.predict(X),
            lambda X=X: trainer.predict_probabilities(X),
            lambda X=X: trainer.dry_run(X, np.array(LABELS), PLAN, np.random.default_rng(0)),
        ):
            with pytest.raises(DataError, match="other words or columns"):
                action()


def test_the_right_features_bare_ones_and_models_without_a_recipe_are_accepted(owner: Owner) -> None:
    X = bag_of_words(REVIEWS, WORDS)
    for model in (model_of(owner), model_of(owner_of(None))):
        for features in (X, X.toarray(), csr_array(X)):
            Trainer(model.copy()).train(features, np.array(LABELS), PLAN)
            User(model).predict(features)
    User(model_of(owner_of(None))).predict(bag_of_words(REVIEWS, OTHERS))


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_travel_with_models_and_secrets(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    owner = owner_of(recipe, width_of(recipe.fingerprint))
    model_of(owner).save(tmp_path / "model")
    owner.save_secret(tmp_path / "secret")
    model, again = EncryptedModel.load(tmp_path / "model"), Owner.load(tmp_path / "secret")
    assert model.features == again.features == recipe == model.copy().features
    if isinstance(recipe, WordFeatures):
        user = User(model)
        user.save_scores(user.predict(model.features(["A good film."])), tmp_path / "scores")  # type: ignore[misc]
        assert again.load_scores(tmp_path / "scores").shape == (1, 1)


def test_scores_of_other_features_are_refused(owner: Owner, tmp_path: Path) -> None:
    user = User(model_of(owner))
    user.save_scores(user.predict(bag_of_words(REVIEWS, WORDS)), tmp_path / "scores")
    header, arrays = files.read(tmp_path / "scores", SCORES)
    others, own = WordFeatures(OTHERS).fingerprint, WordFeatures(WORDS).fingerprint
    for features, refused in ((others, True), (None, False), (own, False)):
        files.write(tmp_path / "changed", SCORES, header | {"features": features}, arrays)
        if refused:
            with pytest.raises(FileError, match="other words or columns"):
                owner.load_scores(tmp_path / "changed")
        else:
            owner.load_scores(tmp_path / "changed")


def test_a_recipe_of_another_width_is_refused() -> None:
    with pytest.raises(DataError, match=r"makes 5 features, but the network has 6; use Architecture\(5"):
        owner_of(WordFeatures(WORDS), 6)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (b"", "not a list of strings"),
        (b"{}", "not a list of strings"),
        (b"[1]", "not a list of strings"),
        (b"[" * 100_000, "not a list of strings"),
        (b"\xff", "not a list of strings"),
        (b"[]", "no words"),
        (b'["b","a"]', "sorted order"),
        (b'[".","a","bad","film","god"]', "are not those of its fingerprint"),
        (b'[".","a","bad","film"]', "are not those of its fingerprint"),
    ],
)
def test_names_that_do_not_fit_their_fingerprint_are_refused(
    owner: Owner, tmp_path: Path, names: bytes, complaint: str
) -> None:
    model_of(owner).save(tmp_path / "model")
    header, arrays = files.read(tmp_path / "model", MODEL)
    arrays["features"] = np.frombuffer(names, np.uint8)
    files.write(tmp_path / "model", MODEL, header, arrays)
    with pytest.raises(FileError, match=complaint):
        EncryptedModel.load(tmp_path / "model")
    for change in ({"published": False}, {"published": None}, {"fingerprint": "words:5:" + "0" * 32}, {"raw": 1}):
        files.write(tmp_path / "model", MODEL, header | {"features": header["features"] | change}, arrays)
        with pytest.raises(FileError):
            EncryptedModel.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "arrays"),
    [
        ({"scaled": [0, 1]}, {}),
        ({"scaled": [7, 9]}, {}),
        ({"scaled": [8, 2]}, {}),
        ({"scaled": None}, {}),
        ({"classes": []}, {}),
        ({"classes": ["0", "1"]}, {}),
        ({"classes": ["0", "1", "["]}, {}),
        ({"classes": ["0", "1", "[1]"]}, {}),
        ({}, {"scales": np.ones((2, 3))}),
        ({}, {"scales": np.ones((2, 2), np.float32)}),
        ({}, {"scales": np.array([[35.5, 1.7], [12.25, np.nan]])}),
        ({}, {"scales": np.array([[35.5, 1.7], [12.25, 0.2]])}),
    ],
)
def test_scales_and_classes_that_do_not_fit_their_fingerprint_are_refused(
    tmp_path: Path, change: dict, arrays: dict[str, np.ndarray]
) -> None:
    recipe = RECIPES["classes of numbers"]
    model_of(owner_of(recipe, width_of(recipe.fingerprint))).save(tmp_path / "model")
    header, found = files.read(tmp_path / "model", MODEL)
    files.write(tmp_path / "model", MODEL, header | {"features": header["features"] | change}, found | arrays)
    with pytest.raises(FileError):
        EncryptedModel.load(tmp_path / "model")
