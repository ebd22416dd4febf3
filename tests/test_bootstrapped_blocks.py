"""Blocks of numbers: arithmetic that is exact, files, and that nothing in them can be read without the key."""

import numpy as np
import pytest
from bootstrapped_keys import NAME, ONE_LEVEL, TINY, needs_numba, random_words, rms, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from encnn.data.batches import Conditioned, DenseBatch, OneReview, SparseBatch, batches
from encnn.errors import CapabilityError, DataError, EncnnError, FileError, KeyMismatchError, ParameterError
from encnn.schemes import make_keys
from encnn.schemes.bootstrapped import BOOTSTRAP_TOY, ONE_LEVEL_128, blocks, engine, noise
from encnn.schemes.bootstrapped.blocks import BlockArray, embed, extract, gather_numpy, without_masks
from encnn.schemes.bootstrapped.frequencies import COMPILED_N
from encnn.schemes.bootstrapped.storage import restore_array

EXACT = TINY.updated(sigma=0.0, lwe_sigma=0.0, glwe_sigma=0.0, trace_bits=4, trace_levels=10)
"""No noise but roundings to 2^-32."""


@pytest.fixture(scope="module")
def toy():
    return make_keys(BOOTSTRAP_TOY, {1}, rng=seeded())


@pytest.fixture(scope="module")
def exact():
    return make_keys(EXACT, {1}, rng=seeded(1))


@pytest.fixture(scope="module")
def wide():
    return make_keys(ONE_LEVEL, {1}, rng=seeded(2))


def reviews(rng, count=7, features=150, values=None):
    """A batch of sparse reviews, the last one empty; of ones, or of whole numbers up to a size."""
    X = (rng.random((count, features)) < 0.1).astype(np.int64)
    X[-1] = 0
    if values:
        X *= rng.integers(-values, values + 1, X.shape)
    return next(batches(csr_array(X), count))[1], X


def units(secret, a):
    """The numbers in units of 2^-32, modulo 2^32."""
    return np.rint(secret.decrypt(a) * a.scale).astype(np.int64).astype(np.int32)


# Encryption


@settings(max_examples=20)
@given(rows=st.integers(1, 200), seed=st.integers(0, 99))
def test_what_was_encrypted_is_decrypted(toy, rows, seed):
    secret, _ = toy
    v = seeded(seed).uniform(-15, 15, (rows, 1))
    a = secret.encrypt_many(v)
    assert (a.shape, len(a)) == ((rows, 1), rows) and a.nbytes == 4 * 2 * 256 * -(-rows // 256)
    np.testing.assert_allclose(secret.decrypt(a), v, atol=a.noise / a.scale + 2e-8)
    chosen = seeded(seed).integers(0, rows, 9)
    np.testing.assert_array_equal(secret.decrypt(a[chosen]), secret.decrypt(a)[chosen])
    np.testing.assert_array_equal(secret.decrypt(a[:5]), secret.decrypt(a)[:5])


def test_a_thousand_weights_take_twelve_kilobytes():
    secret, _ = make_keys(ONE_LEVEL, {1}, rng=seeded())
    assert secret.encrypt_many(np.zeros((1024, 1))).nbytes == 12_288
    assert secret.encrypt_many(np.zeros((25_000, 1))).nbytes < 310_000


def test_blocks_show_nothing_without_the_key(toy):
    """Under parameters of 128 bits: equal numbers, unrelated ciphertexts; another key reads noise over all of the torus."""
    secret, other = (make_keys(ONE_LEVEL_128.updated(n=4, name="x-INSECURE"), {1}, rng=seeded(s))[0] for s in (3, 4))
    v = np.full((20 * 1024, 1), 0.25)
    a = secret.encrypt_many(v)
    body = a.data[:, 0].ravel() * 2.0**-32
    assert abs(body.mean()) < 4 / np.sqrt(12 * body.size) and body.var() == pytest.approx(1 / 12, rel=0.05)
    assert len(np.unique(a.data[:, 0])) > 0.99 * v.size
    read = BlockArray(a.data, a.rows, other.context, a.value, a.noise)
    assert rms(secret.decrypt(a) - v) < 1e-6
    assert other.decrypt(read).std() == pytest.approx(32 / np.sqrt(12), rel=0.02)
    assert abs(np.corrcoef(a.data[0, 0], secret.encrypt_many(v).data[0, 0])[0, 1]) < 0.15


def test_others_keys_are_refused(toy):
    secret, evaluator = toy
    other, _ = make_keys(BOOTSTRAP_TOY, {1}, rng=seeded(8))
    a, b = secret.encrypt_many(np.zeros((3, 1))), other.encrypt_many(np.zeros((3, 1)))
    with pytest.raises(KeyMismatchError, match="not to key"):
        other.decrypt(a)
    for combine in (
        lambda: evaluator.concatenate([a, b]),
        lambda: evaluator.scatter_subtract(a, OneReview(np.arange(2)), other.encrypt(np.zeros((1, 1)))),
        lambda: evaluator.add_update(a, np.arange(1), b),
    ):
        with pytest.raises(KeyMismatchError, match="do not combine"):
            combine()


def test_blocks_without_masks_are_told():
    acc = random_words(seeded(), (4, 3, 8))
    acc[1, 1:] = 0
    acc[2, 1:] = 0
    acc[2, 2, 7] = 1
    acc[3] = 0
    assert without_masks(acc).tolist() == [False, True, False, True]


# Gather and scatter


@pytest.mark.parametrize("p", [TINY, BOOTSTRAP_TOY, ONE_LEVEL], ids=NAME)
def test_extraction_and_embedding_are_inverse(p):
    ciphertexts = random_words(seeded(), (5, 1 + p.d))
    np.testing.assert_array_equal(extract(embed(ciphertexts, p.N)), ciphertexts)


def dense_of(X):
    return DenseBatch(X), X


@pytest.mark.parametrize("values", [None, 3, 1 << 20])
@pytest.mark.parametrize("of", ["sparse", "dense", "one review"])
@pytest.mark.parametrize("keys", ["exact", "wide"])
def test_gather_is_the_product_and_exact(of, values, keys, request):
    secret, evaluator = request.getfixturevalue(keys)
    batch, X = reviews(seeded(5), features=150, values=values)
    if of == "dense":
        batch = DenseBatch(X)
    if of == "one review":
        batch, X = OneReview(np.array([3, 70, 149])), np.eye(150, dtype=np.int64)[[3, 70, 149]].sum(axis=0)[None]
    W = secret.encrypt_many(seeded(6).uniform(-1, 1, (150, 1)))
    z = evaluator.gather(batch, W)
    expected = (X @ units(secret, W).astype(np.int64)).astype(np.int32)
    np.testing.assert_array_equal(secret.phase(z).astype(np.int32), expected)
    assert z.noise == batch.largest_row() * W.noise


@pytest.mark.parametrize("values", [None, 3])
def test_scatter_is_the_transposed_product_up_to_the_roundings_of_a_trace(exact, values):
    secret, evaluator = exact
    batch, X = reviews(seeded(5), values=values)
    W, G = secret.encrypt_many(seeded(6).uniform(-1, 1, (150, 1))), secret.encrypt(seeded(7).uniform(-1, 1, (len(batch), 1)))
    expected = secret.decrypt(W) - X.T @ secret.decrypt(G)
    evaluator.scatter_subtract(W, batch, G)
    rounding = (1 + EXACT.d) / 2 * np.abs(X).sum()
    assert 0 < np.abs(secret.decrypt(W) - expected).max() * W.scale < rounding
    assert W.seed is None


@needs_numba
@pytest.mark.parametrize("values", [None, 5])
def test_compiled_loops_equal_numpy_bit_for_bit(wide, values):
    secret, _ = wide
    rng = seeded(1)
    batch, _ = reviews(rng, features=3000, values=values)
    columns, pointers, factors = batch.entries()
    columns = columns.astype(np.int64)
    columns[:4] = 0, 1023, 1024, 2999  # windows that begin at the ends of blocks
    factors = np.ones(len(columns), np.int32) if factors is None else factors.astype(np.int32)
    data = random_words(rng, (3, 3, 1024))
    found = [np.empty((len(batch), 3, 1024), np.int32) for _ in range(2)]
    from encnn.schemes.bootstrapped import compiled_blocks as loops

    for gather, sums in zip((loops.gather, blocks.gather_numpy), found, strict=True):
        gather(data, columns, pointers.astype(np.int64), factors, sums)
    np.testing.assert_array_equal(*map(extract, found))
    errors, changed = random_words(rng, (len(batch), 3, 1024)), [data.copy(), data.copy()]
    for scatter, blocks_ in zip((loops.scatter_subtract, blocks.scatter_subtract_numpy), changed, strict=True):
        scatter(blocks_, columns, pointers.astype(np.int64), factors, errors)
    np.testing.assert_array_equal(*changed)
    assert (changed[0] != data).any(axis=(1, 2)).all()
    in_shares = data.copy()
    for share in range(2):
        loops.scatter_subtract(in_shares, columns, pointers.astype(np.int64), factors, errors, share, 2)
        assert ((in_shares == changed[0]).all(axis=(1, 2)) == (np.arange(3) % 2 <= share)).all()
    for share, of in ((2, 2), (-1, 2), (0, 0)):
        with pytest.raises(ParameterError, match="there is no share"):
            loops.scatter_subtract(in_shares, columns, pointers.astype(np.int64), factors, errors, share, of)


def test_threads_share_the_blocks_of_an_update(wide):
    secret, _ = wide
    batch, _ = reviews(seeded(1), features=3000)
    start, errors = secret.encrypt_many(np.zeros((3000, 1))), random_words(seeded(2), (len(batch), 3, 1024))
    found = [start.copy() for _ in range(4)]
    for W, threads in zip(found, (1, 2, 3, 9), strict=True):
        blocks.scatter_subtract(W, batch, errors, 0.0, 0.0, threads)
        np.testing.assert_array_equal(W.data, found[0].data)
    assert (found[0].data != start.data).any(axis=(1, 2)).all()
    with pytest.raises(EncnnError, match="threads"):
        blocks.scatter_subtract(start, batch, errors, 0.0, 0.0, 0)


def test_fractions_are_refused(toy):
    secret, evaluator = toy
    W = secret.encrypt_many(np.zeros((4, 1)))
    for batch in (DenseBatch(np.full((2, 4), 0.5)), SparseBatch(np.arange(2), np.array([0, 2]), np.array([1.0, 2.5]), 4)):
        with pytest.raises(CapabilityError, match="whole numbers below 2\\^31, not by fractions.*use whole features"):
            evaluator.gather(batch, W)
    whole = SparseBatch(np.arange(2), np.array([0, 2]), np.array([1.0, 2.0]), 4)  # floats that are whole will do
    assert evaluator.gather(whole, W).shape == (1, 1)


# Packing


def test_packed_numbers_are_those_that_were_packed(toy):
    secret, evaluator = toy
    p = BOOTSTRAP_TOY
    v = seeded().uniform(-8, 8, (600, 1))
    numbers = secret.encrypt(v)
    packed = evaluator.pack(numbers)
    assert packed.nbytes < numbers.nbytes / 75
    error = secret.decrypt(packed) - secret.decrypt(numbers)
    predicted = np.sqrt(noise.trace(p)[0]) * 2.0**p.z_bits
    assert rms(error[: 2 * p.N]) == pytest.approx(predicted, rel=0.15)
    assert np.abs(secret.decrypt(packed) - v).max() * packed.scale < packed.noise
    np.testing.assert_array_equal(secret.decrypt(packed.numbers()), secret.decrypt(packed))
    two = evaluator.concatenate([packed[:300], packed[300:]])
    np.testing.assert_array_equal(secret.decrypt(two), secret.decrypt(packed))
    assert not without_masks(packed.data).any()


def test_an_update_is_what_a_scatter_does(toy):
    secret, evaluator = toy
    batch = SparseBatch(np.array([1, 3, 700]), np.array([0, 2, 3]), None, 1000)
    here, there = (secret.encrypt_many(np.ones((1000, 1))) for _ in range(2))
    there.data[:] = here.data
    G = secret.encrypt(np.array([[0.5], [-0.25]]))
    changed, update = evaluator.update_of(here, batch, G)
    assert changed.tolist() == [0, 2] and update.nbytes == here.nbytes / 2
    evaluator.add_update(here, changed, update)
    evaluator.scatter_subtract(there, batch, G)
    np.testing.assert_array_equal(here.data, there.data)


# What a trainer may do to features


def test_conditioned_features_update_by_their_multipliers():
    X = csr_array(np.array([[1, 0, 2], [0, 3, 0]]))
    c = Conditioned(X, np.array([5, 7, 11]), np.array([2.0, 4.0]))
    ((rows, batch),) = batches(c, 4)
    assert rows == slice(0, 2) and batch.widths.tolist() == [2.0, 4.0]
    W = np.zeros((3, 1))
    batch.updating().scatter_subtract(W, np.ones((2, 1)))
    assert W[:, 0].tolist() == [-5, -21, -22]
    np.testing.assert_array_equal(batch.gather(np.eye(3)), X.toarray())
    assert c[np.array([1])].widths.tolist() == [4.0] and c[1:].shape == (1, 3)
    (_, plain), *_ = batches(Conditioned(csr_array(np.eye(3, dtype=np.int64))), 1)
    assert plain.widths is None and plain.updating().values is None


@pytest.mark.parametrize(
    ("multipliers", "widths", "message"),
    [
        (np.ones(2, int), None, "multipliers must be 3 whole numbers"),
        (np.ones(3), None, "whole numbers"),
        (np.array([1, 0, 1]), None, "from 1 on"),
        (None, np.ones(3), "widths must be 2 numbers"),
        (None, np.array([1.0, 0.0]), "above 0"),
        (None, np.array([1.0, np.nan]), "above 0"),
    ],
)
def test_scales_that_do_not_fit_are_refused(multipliers, widths, message):
    with pytest.raises(DataError, match=message):
        Conditioned(csr_array(np.ones((2, 3))), multipliers, widths)
    with pytest.raises(DataError, match="dense features are not conditioned"):
        Conditioned(np.ones((2, 3)))


# Files and messages


def test_arrays_come_back_as_they_were(toy):
    secret, evaluator = toy
    fresh = secret.encrypt_many(seeded().normal(0, 1, (600, 1)))
    used = fresh.copy()
    used.data += 1
    for a in (fresh, used, fresh[100:300], used[np.array([5, 6, 7, 2, 2, 599])]):
        header, array = evaluator.export_array(a)
        again = evaluator.restore_array(header, array, a.shape)
        np.testing.assert_array_equal(again.data, a.data)
        np.testing.assert_array_equal(secret.decrypt(again), secret.decrypt(a))
        assert (again.rows, again.value, again.noise, again.seed) == (a.rows, a.value, a.noise, a.seed)
    assert evaluator.export_array(fresh)[1].nbytes == 3 * 256 * 4  # bodies alone


HOSTILE = {
    "too many rows": ({}, (1000, 1)),
    "two columns": ({}, (300, 2)),
    "another count": ({"blocks": 5}, (600, 1)),
    "a negative count": ({"blocks": -1}, (600, 1)),
    "a text for a count": ({"blocks": "3"}, (600, 1)),
    "a negative bound": ({"noise": -1.0}, (600, 1)),
    "an infinite bound": ({"value": float("inf")}, (600, 1)),
    "no bound": ({"value": None}, (600, 1)),
    "a short seed": ({"seed": "00"}, (600, 1)),
    "places beyond": ({"places": [[200, 600]]}, (600, 1)),
    "places before": ({"places": [[-1, 600]]}, (600, 1)),
    "too few places": ({"places": [[0, 599]]}, (600, 1)),
    "an empty run": ({"places": [[0, 600], [0, 0]]}, (600, 1)),
    "places of a text": ({"places": "0"}, (600, 1)),
    "places of fractions": ({"places": [[0.0, 600.0]]}, (600, 1)),
    "wider rows": ({"width": 2}, (600, 2)),
    "rows of nothing": ({"width": 0}, (600, 0)),
    "a scale of nothing": ({"scale": 0.0}, (600, 1)),
    "no scale": ({"scale": None}, (600, 1)),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_blocks_are_refused(toy, how):
    secret, evaluator = toy
    header, array = evaluator.export_array(secret.encrypt_many(np.zeros((600, 1))))
    changes, shape = HOSTILE[how]
    with pytest.raises(FileError):
        restore_array(secret.context, header | changes, array, shape)
    for wrong in (array.astype(np.int64), array[:1], array.ravel(), array[:, :, None]):
        with pytest.raises(FileError):
            restore_array(secret.context, header, wrong, (600, 1))


def test_weights_must_be_blocks_with_masks(toy):
    secret, evaluator = toy
    W = secret.encrypt_many(np.zeros((600, 1)))
    evaluator.check_weights(W)
    W.data[1, 1:] = 0
    with pytest.raises(ParameterError, match="weights have no masks, so anybody reads them"):
        evaluator.check_weights(W)
    with pytest.raises(ParameterError, match="are blocks"):
        evaluator.check_weights(secret.encrypt(np.zeros((600, 1))))


# Rows of several numbers


@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_rows_of_several_numbers_are_gathered_scattered_and_stored(toy, width):
    """Rows begin at multiples of a power of two; 100 rows of 8 take four blocks."""
    secret, evaluator = toy
    rng = seeded(width)
    v, X = rng.normal(0, 1, (100, width)), csr_array((rng.random((6, 100)) < 0.2).astype(np.int64))
    W = secret.encrypt_many(v)
    assert W.shape == v.shape and len(W.data) == -(-100 * W.stride // 256) and not evaluator.readable(W)
    np.testing.assert_allclose(secret.decrypt(W), v, atol=1e-6)
    np.testing.assert_allclose(secret.decrypt(W[10:20]), v[10:20], atol=1e-6)
    _, batch = next(iter(batches(X, 6)))
    found = evaluator.gather(batch, W)
    np.testing.assert_allclose(secret.decrypt(found).reshape(6, width), X @ v, atol=1e-5)
    np.testing.assert_array_equal(blocks.gather(W, batch, threads=4).data, found.data)
    G = rng.normal(0, 0.5, (6, width, 1))
    evaluator.scatter_subtract(W, batch, secret.encrypt(G) if width > 1 else secret.encrypt(G[:, 0]))
    np.testing.assert_allclose(secret.decrypt(W), v - X.T @ G[..., 0], atol=0.01)
    header, array = evaluator.export_array(W[5:90])
    np.testing.assert_array_equal(secret.decrypt(evaluator.restore_array(header, array, (85, width))), secret.decrypt(W[5:90]))


@needs_numba
def test_compiled_and_plain_loops_gather_the_same_rows():
    rng, N = seeded(2), COMPILED_N
    blocks, places = random_words(rng, (3, 3, N)), (8 * rng.integers(0, 3 * N // 8, 30)).astype(np.int64)
    pointers, factors = np.array([0, 10, 10, 30]), rng.integers(1, 4, 30).astype(np.int32)
    loops = engine.compiled_blocks(N, 2)
    plain, fast = np.empty((2, 3, 3, N), np.int32)
    gather_numpy(blocks, places, pointers, factors, plain)
    loops.gather(blocks, places, pointers, factors, fast, 5)
    for k in range(5):
        np.testing.assert_array_equal(extract(fast, k), extract(plain, k))
    with pytest.raises(ParameterError, match="rows of 9 numbers cross the end of a block"):
        loops.gather(blocks, np.full(30, N - 8), pointers, factors, fast, 9)


def test_differences_of_blocks_need_the_same_layout(toy):
    secret, _ = toy
    a, b = (secret.encrypt_many(np.full((20, 1), v)) for v in (3.0, 1.0))
    np.testing.assert_allclose(secret.decrypt(a - b), 2.0, atol=1e-6)
    for other in (secret.encrypt_many(np.ones((21, 1))), b[2:]):
        with pytest.raises(ParameterError, match="cannot be subtracted; use arrays of the same layout"):
            a - other
