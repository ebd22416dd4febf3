"""Attacks on the protocols of secure presets: each works on a model of the old behaviour and not on today's, 20 times of 20."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from encnn import Architecture, ExactSigmoid, Network, Owner, Trainer, TrainingPlan
from encnn.arithmetic import sampling
from encnn.arithmetic.modular import centred
from encnn.arithmetic.sampling import Randomness
from encnn.attacks import hand_over as attack
from encnn.attacks.collusion import secret_of_sender
from encnn.attacks.modular_solve import solve
from encnn.attacks.shifted_masks import RotatedZeros, largest_relation, likeliest, word_counts
from encnn.attacks.silence import CarelessOwner, T_from_silence, asking
from encnn.errors import DataError, DivergenceError, EncnnError, FileError
from encnn.parties.assistance import scores
from encnn.parties.assistance.scores import Answer, Assistant, AssistedStep, Opening, Request
from encnn.parties.assistance.weights import OwnerOfWeights, Weights, as_parts, weights_of
from encnn.scaling.federation import blank_model, hand_over, pass_on, recipient_key, reencryption_key
from encnn.schemes.integer_vector import (
    ADDITIVE_128,
    COMPACT_128,
    CiphertextArray,
    IntegerVectorParameters,
    IntegerVectorSecretKey,
)
from encnn.schemes.integer_vector.reencryption import ReencryptionKey, make_recipient_key, make_reencryption_key, reencrypt
from encnn.schemes.integer_vector.ring import SAMPLES, ZeroStream, make_zero_key
from encnn.schemes.rings import storage

RUNS = 20
PLAN = TrainingPlan(ExactSigmoid(), 0.05, batch_size=2)
SMALL = COMPACT_128.updated(d=32, name="small-INSECURE")
SMALL_WIDE = ADDITIVE_128.updated(d=32, name="small-wide-INSECURE")
NAME = {"ids": lambda p: p.name}


def linear(features: int) -> Architecture:
    return Architecture(features, hidden=0, pooling="sum")


@pytest.mark.parametrize("bits", [1, 8, 26, 64])
def test_linear_equations_modulo_a_power_of_two_are_solved(bits: int) -> None:
    rng = np.random.default_rng(bits)
    A = rng.integers(-(1 << 62), 1 << 62, (40, 12))
    X = rng.integers(-(1 << 62), 1 << 62, (12, 3)) >> np.int64(63 - bits)
    B = A @ X
    found = solve(A, B, bits)
    assert found is not None and not ((found - X) << np.int64(64 - bits)).any()
    B[20, 1] += 1
    assert solve(A, B, bits) is None, "equations that contradict each other have no solution"
    assert solve(2 * A, B, bits) is None, "nor have those without an odd pivot exactly one"


# -- the owner as an oracle, by its exceptions


def share_found(answered: Callable, secret: IntegerVectorSecretKey, **edge: float) -> float:
    return float((T_from_silence(answered, secret.context, **edge) == secret.T(1)).mean())


@pytest.mark.parametrize("p", [pytest.param(ADDITIVE_128, marks=pytest.mark.slow), SMALL_WIDE], **NAME)
def test_silence_shows_the_key_of_a_careless_owner_only(p: IntegerVectorParameters) -> None:
    for _ in range(RUNS):
        secret = IntegerVectorSecretKey(p, [1])
        careless, assistant = CarelessOwner(secret), Assistant(secret)
        assert share_found(careless.answered, secret) == 1.0 and not careless.closed
        assert share_found(asking(assistant), secret) < 0.7  # a guess of "always 0" has a third
        assert not assistant.closed and np.abs(assistant.scores).min() > 690


def test_a_request_that_is_too_large_is_the_only_bit_of_a_run() -> None:
    for _ in range(RUNS):
        secret = IntegerVectorSecretKey(SMALL_WIDE, [1])
        assistant, edge = Assistant(secret), scores.WITHIN * 2.0**52 / SMALL_WIDE.unit
        assert share_found(asking(assistant), secret, edge=edge) < 0.85
        assert assistant.closed and assistant.tally.refused == 1
        with pytest.raises(DataError, match="answers no more"):
            assistant.answer(Request(assistant.tally.trips + 1, 0.01, secret.encrypt(np.zeros((1, 1)))))


@pytest.mark.parametrize("reviews", [1, 3])
def test_whatever_goes_wrong_after_decryption_closes_the_owner_for_good(reviews: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, error in enumerate([ZeroDivisionError, MemoryError, KeyboardInterrupt, ValueError, DataError] * 4):
        secret = IntegerVectorSecretKey(SMALL, [1])
        assistant = Assistant(secret)
        request = Request(1, 0.1, secret.encrypt(np.zeros((reviews, 1))))

        def fails(*_: Any, error: type[BaseException] = error) -> None:
            raise error("of the owner's own making")

        with monkeypatch.context() as changed:
            changed.setattr(*((secret, "decrypt") if number % 2 else (assistant._pads, "take")), fails)
            with pytest.raises(error if issubclass(error, EncnnError | KeyboardInterrupt) else DivergenceError):
                assistant.answer(request)
        assert assistant.closed and (assistant.tally.trips, assistant.tally.refused) == (0, 1)
        with pytest.raises(DataError, match="answers no more"):
            assistant.answer(request)


def test_no_more_is_answered_than_a_run_takes() -> None:
    secret = IntegerVectorSecretKey(SMALL, [1])
    assistant, score = Assistant(secret, max_trips=3), secret.encrypt(np.zeros((1, 1)))
    for trip in (1, 2, 3):
        assistant.answer(Request(trip, 0.1, score))
    with pytest.raises(DataError, match="answered 3 requests"):
        assistant.answer(Request(4, 0.1, score))
    assert len(assistant.scores) == 3 and not assistant.tally.refused


def test_scores_of_any_size_have_a_sigmoid() -> None:
    """Right values at both ends, without a warning, for one score and for several."""
    secret = IntegerVectorSecretKey(ADDITIVE_128, [1])
    for z in ([-3e4], [3e4], [-709.79], [-3e4, -800.0, 0.0, 3e4]):  # up to what an owner answers
        assistant, p = Assistant(secret), ADDITIVE_128
        answer = assistant.answer(Request(1, 0.5, secret.encrypt(np.array(z)[:, None])))
        masks = scores.Rows(scores.expand_polynomial(answer.seed, p), p)[0 : len(z)]
        data = np.concatenate([answer.tops, masks], axis=1)
        found = secret.decrypt(CiphertextArray(data, secret.context, p.scale, 0.0, 0.0, 0.0))[:, 0]
        assert np.allclose(found, [0.5 if x > 0 else 0.25 if x == 0 else 0.0 for x in z], atol=1e-6)


def overflowing(scheme: Any) -> tuple[Owner, OwnerOfWeights, Weights]:
    """Return an owner who renews weights, and weights whose header puts their fractions at places up to 2^(N - 1)."""
    owner = Owner(linear(3), PLAN.sigmoid, scheme.FRACTIONAL_128)
    model = owner.encrypt(Network(linear(3), np.full((3, 1), 1e-3), None))
    ((header, array, shape),) = as_parts(owner.evaluator, weights_of(model.network))
    header["bounds"] |= {"high": owner.parameters.N - 1, "low": 0}  # type: ignore[union-attr]
    request = Weights(1, model.evaluator.context.key_id, [(header, array, shape)])  # type: ignore[attr-defined]
    return owner, OwnerOfWeights(owner.secret_key, model), request


@pytest.mark.parametrize("name", ["fv", "yashe"])
def test_bounds_that_overflow_are_refused_before_anything_is_decrypted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where they came through, the owner would be closed by what they make of the decryption."""
    scheme = importlib.import_module(f"encnn.schemes.{name}")
    owner, side, request = overflowing(scheme)
    for _ in range(RUNS):
        with pytest.raises(FileError, match="cannot have the bounds"):
            side.answer(request)
    assert not side.closed and not side.tally.refused
    monkeypatch.setattr(storage, "MAX_BITS", 1 << 20)
    with pytest.raises(OverflowError):
        owner.decrypt(owner.evaluator.restore_array(*request.parts[0]))
    with pytest.raises(DivergenceError, match="OverflowError"):
        side.answer(request)
    assert side.closed and side.tally.refused == 1
    with pytest.raises(DataError, match="answers no more"):
        side.answer(request)


def test_an_owner_of_packed_weights_closes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tenseal.sealapi")
    from encnn.schemes import ckks

    owner = Owner(linear(3), PLAN.sigmoid, ckks.TOY)
    model = owner.encrypt(Network(linear(3), np.zeros((3, 1)), None))
    side = OwnerOfWeights(owner.secret_key, model)
    request = Weights(1, model.evaluator.context.key_id, as_parts(owner.evaluator, weights_of(model.network)))  # type: ignore[attr-defined]
    monkeypatch.setattr(owner.secret_key, "decrypt", lambda a: np.array([[np.nan], [1.0], [np.inf]]))
    with pytest.raises(DivergenceError):
        side.answer(request)
    assert side.closed and side.tally.refused == 1


# -- masks that are rows of one encryption of zero


class Recorder:
    """A channel that keeps the owner's view."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant, self.requests = assistant, []  # type: ignore[var-annotated]

    def open(self) -> Opening:
        return self.assistant.opening()

    def ask(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.assistant.answer(request)


def first_request(p: IntegerVectorParameters, X: csr_array, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the owner sees: the masks of the words (words, d), and those of the first request's sums."""
    a = linear(X.shape[1])
    owner = Owner(a, PLAN.sigmoid, p)
    model = owner.encrypt(Network(a, np.zeros((a.features, 1)), None))
    model.network.weight_bound = 2.0**-12  # and a low rate: so a score is one ciphertext, however many words it has
    A, channel = model.network.W1.data[:, 1:].copy(), Recorder(Assistant(owner.secret_key))  # type: ignore[arg-type]
    plan = TrainingPlan(ExactSigmoid(), 2.0**-20, batch_size=batch_size)
    Trainer(model).train(X, np.arange(X.shape[0]) % 2, plan, AssistedStep(channel))
    return A, channel.requests[0].scores.data[:, 1:]


def counts(rng: np.random.Generator, reviews: int, words: int) -> np.ndarray:
    return rng.integers(0, 4, (reviews, words)) * (rng.random((reviews, words)) < 0.4)


@pytest.mark.parametrize(("p", "words"), [(SMALL, 6), pytest.param(COMPACT_128, 450, marks=pytest.mark.slow)])
def test_word_counts_follow_from_rotated_zeros_only(
    p: IntegerVectorParameters, words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(RUNS):
        x = counts(np.random.default_rng(run), 2, words)
        assert word_counts(*_arguments(first_request(p, csr_array(x), 2))) is None
        with monkeypatch.context() as before:
            before.setattr(scores, "ZeroStream", RotatedZeros)
            found = word_counts(*_arguments(first_request(p, csr_array(x), 2)))
        np.testing.assert_array_equal(found, x)


def test_reviews_are_picked_from_candidates_by_rotated_zeros_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """More words than equations: the owner tries texts."""
    hits = 0
    for run in range(RUNS):
        texts = counts(np.random.default_rng(run), 30, 60)
        X = csr_array(texts[[17, 4]])
        hits += likeliest(*_arguments(first_request(SMALL, X, 2)), texts, 26) == (17, 4)
        with monkeypatch.context() as before:
            before.setattr(scores, "ZeroStream", RotatedZeros)
            assert likeliest(*_arguments(first_request(SMALL, X, 2)), texts, 26) == (17, 4)
    assert hits <= 1  # one in 900 by chance


def _arguments(seen: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    A, sums = seen
    return A, sums[0], sums[1]


@pytest.mark.parametrize("p", [COMPACT_128, ADDITIVE_128], **NAME)
def test_no_two_masks_are_related(p: IntegerVectorParameters) -> None:
    """Of one request and of the next ones, over all rotations; rotations of one polynomial correlate by 1."""
    secret = IntegerVectorSecretKey(p, [1])
    key = make_zero_key(secret, 1, Randomness(), SAMPLES)
    stream, once = ZeroStream(key, p, Randomness.in_bulk()), RotatedZeros(key, p, Randomness())
    masks = np.concatenate([stream.take(k)[:, 1:] for k in (SAMPLES + 3, 1, 1, 40)])
    assert largest_relation(masks, p.q_bits or 64) < 7 / np.sqrt(p.d)
    assert largest_relation(once.take(2)[:, 1:], p.q_bits or 64) > 0.9
    uniform = centred(masks, p.q_bits or 64) * 2.0 ** -(p.q_bits or 64)
    assert abs(uniform.mean()) < 6 / np.sqrt(12 * masks.size)
    assert abs(np.abs(uniform).mean() - 0.25) < 6 / np.sqrt(48 * masks.size)


def test_masks_of_requests_are_not_related_once_the_words_are_taken_away() -> None:
    x = counts(np.random.default_rng(1), 16, 200)
    A, sums = first_request(COMPACT_128, csr_array(x), 16)
    assert largest_relation(sums - x @ A, 26) < 7 / np.sqrt(COMPACT_128.d)


# -- handing over


def trained(owner: Owner, features: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a model that predicts, and reviews to judge it by."""
    X = (np.random.default_rng(3).random((80, features)) < 0.2).astype(np.int64)
    w = np.where(np.arange(features) % 2, 0.25, -0.25)[:, None]
    return owner.encrypt(Network(owner.architecture, w, None)), X, ((X @ w)[:, 0] >= 0).astype(int)


@pytest.mark.parametrize("p", [SMALL, pytest.param(COMPACT_128, marks=pytest.mark.slow)], **NAME)
def test_a_trainer_and_the_recipient_read_the_key_unless_its_owner_judges(p: IntegerVectorParameters) -> None:
    features = p.d + 8
    for _ in range(RUNS if p is SMALL else 2):
        A, B = (Owner(linear(features), PLAN.sigmoid, p) for _ in range(2))
        key = reencryption_key(A, recipient_key(B))
        model, X, y = trained(A, features)
        spoilt = attack.planted(model, p.unit)
        read = B.decrypt(pass_on(spoilt, blank_model(B), key).network.W1)[: p.d]
        np.testing.assert_array_equal(attack.T_from_weights(read, 1.0), A.secret_key.T(1))  # type: ignore[attr-defined]
        with pytest.raises(DataError, match="not handed over .*REJECTED"):
            hand_over(A, spoilt, X, y, minimum=0.95)  # by chance one spoilt network in 2,000 gets 80 % right


def test_an_honest_network_is_handed_over_with_nothing_of_its_trainers_randomness() -> None:
    A, B = (Owner(linear(40), PLAN.sigmoid, SMALL) for _ in range(2))
    model, X, y = trained(A, 40)
    judged = hand_over(A, model, X, y, minimum=0.8)
    assert (judged.network.W1.data != model.network.W1.data).mean() > 0.99
    passed = pass_on(judged, blank_model(B), reencryption_key(A, recipient_key(B)))
    np.testing.assert_allclose(B.decrypt_network(passed).W1, A.decrypt_network(model).W1, atol=0.1)


def proxied(
    p: IntegerVectorParameters,
) -> tuple[IntegerVectorSecretKey, IntegerVectorSecretKey, ReencryptionKey, CiphertextArray]:
    A, B = IntegerVectorSecretKey(p, [1]), IntegerVectorSecretKey(p, [1])
    key = make_reencryption_key(A, make_recipient_key(B))
    return A, B, key, A.encrypt(np.zeros((key.blocks[1].shape[0] * p.d + 40, 1)))


@pytest.mark.parametrize(
    "p",
    [SMALL, pytest.param(COMPACT_128.updated(d=128, name="d128-INSECURE"), marks=pytest.mark.slow)],
    **NAME,
)
def test_files_before_and_after_a_switch_show_the_proxys_key_only_without_zeros(p: IntegerVectorParameters) -> None:
    for _ in range(RUNS if p is SMALL else 1):
        A, B, key, c = proxied(p)
        found = attack.proxy_key(c, attack.switch_without_zeros(c, key), key.base_bits)
        np.testing.assert_array_equal(found, key.blocks[1])
        stolen = ReencryptionKey(key.source, key.recipient, key.base_bits, {1: found})
        np.testing.assert_array_equal(secret_of_sender(stolen, B, 1), A.T(1))
        assert attack.proxy_key(c, reencrypt(c, key), key.base_bits) is None


def test_the_same_file_is_switched_differently_each_time() -> None:
    """And each ciphertext by a zero of its own: differences of two switches are masks without relations."""
    _, B, key, c = proxied(SMALL)
    first, second = reencrypt(c, key), reencrypt(c, key)
    difference = first.data.astype(np.int64) - second.data
    assert np.abs(B.phase(CiphertextArray(difference.astype(np.int32), B.context, 1.0, 0, 0, 0))).max() <= 2 * key.noise
    assert (difference[:, 1:] != 0).mean() > 0.99 and len(np.unique(difference[:, 1:], axis=0)) == len(c)


# -- forks


def in_children(work: Callable[[], bytes], count: int = 2) -> list[bytes]:
    """Return what `work` returns in so many forked processes."""
    found = []
    for _ in range(count):
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.write(writes, work())
            finally:
                os._exit(0)
        os.close(writes)
        with open(reads, "rb") as stream:
            found.append(stream.read())
        os.waitpid(child, 0)
    return found


def opened_difference(experimental: bool) -> int:
    """Return the difference of two children's answers to one request, with labels 0 and 1, where pads are shared: scale."""
    secret = IntegerVectorSecretKey(SMALL, [1], np.random.default_rng(1) if experimental else None)
    assistant = Assistant(secret, rng=np.random.default_rng(2) if experimental else None)
    score = secret.encrypt(np.zeros((1, 1)))
    assistant.answer(Request(1, 1.0, score, np.zeros((1, 1), np.int8)))
    labels = iter((0, 1))

    def answer(label: int) -> bytes:
        return assistant.answer(Request(2, 1.0, score, np.full((1, 1), label, np.int8))).tops.tobytes()

    tops = []
    for label in labels:
        tops += in_children(lambda label=label: answer(label), 1)  # type: ignore[misc]
    return int(np.frombuffer(tops[0], np.int32)[0]) - int(np.frombuffer(tops[1], np.int32)[0])


@pytest.mark.parametrize("experimental", [False, True])
def test_labels_do_not_show_in_what_two_forks_of_an_owner_answer(experimental: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(RUNS):
        assert opened_difference(experimental) % SMALL.q != SMALL.scale  # type: ignore[operator]
    with monkeypatch.context() as before:
        before.setattr(sampling, "process", lambda: ())  # as if nobody told that this is another process
        for _ in range(RUNS):
            assert opened_difference(experimental) % SMALL.q == SMALL.scale  # type: ignore[operator]


def streams() -> dict[str, Callable[[], bytes]]:
    """Return what draws masks, noise or keys, each started before the fork."""
    from encnn.schemes import bootstrapped, fv, integer_vector, yashe

    def rng() -> np.random.Generator:
        return np.random.default_rng(5)

    small, key = IntegerVectorSecretKey(SMALL, [1]), IntegerVectorSecretKey(SMALL, [1], rng())
    zero_key = make_zero_key(small, 1, Randomness())
    sources = {"bulk": Randomness.in_bulk(), "seeded": Randomness(rng())}
    zeros = {name: ZeroStream(zero_key, SMALL, source) for name, source in sources.items()}
    for stream in zeros.values():
        stream.take(1)
    owned, system, seeded, late = rng(), Randomness(), Randomness(rng()), rng()
    seeded.token()
    found: dict[str, Callable[[], bytes]] = {
        "system": system.token,
        "bulk": Randomness.in_bulk().token,
        "seeded": seeded.token,
        "generator passed on later": lambda: Randomness(late).token(),
        "key": lambda: key.encrypt(np.zeros((1, 1))).data.tobytes(),
        "new key": lambda: IntegerVectorSecretKey(SMALL, [1], owned).T(1).tobytes(),
        **{f"zeros, {name}": (lambda s=s: s.take(1).tobytes()) for name, s in zeros.items()},
    }
    for scheme, p in ((fv, fv.TOY), (yashe, yashe.TOY), (bootstrapped, bootstrapped.BOOTSTRAP_TOY), (integer_vector, SMALL)):
        public = () if scheme is bootstrapped else (1,)
        secret, evaluator = scheme.make_keys(p, [1], rng=rng(), public_widths=public)
        found[scheme.__name__] = lambda s=secret: _bytes(s.encrypt(np.zeros((1, 1))))
        if public:
            own = rng()
            found[f"{scheme.__name__}, public"] = lambda e=evaluator, own=own: _bytes(e.encrypt(np.zeros((1, 1)), own))
    return found


def _bytes(a: Any) -> bytes:
    return np.ascontiguousarray(a.data).tobytes()[-2048:]


def test_nothing_that_is_drawn_repeats_in_two_forks() -> None:
    for name, draw in streams().items():
        children = in_children(draw, 3)
        assert len({*children, draw()}) == 4, name


def test_seal_draws_anew_in_every_fork() -> None:
    pytest.importorskip("tenseal.sealapi")
    from encnn.schemes import ckks

    secret, _ = ckks.make_keys(ckks.TOY, [1])
    secret.encrypt(np.zeros(4))
    assert len(set(in_children(lambda: secret.encrypt(np.zeros(4)).messages[0][-512:], 3))) == 3


def test_forks_of_a_seeded_program_repeat_themselves() -> None:
    """Derived streams are a function of the seed and of the place among the forks: grandchildren differ too."""

    def draw() -> list[bytes]:
        stream = Randomness(np.random.default_rng(5))
        stream.token()
        place = sampling.process()
        return [place == () and b"first" or b"", *in_children(lambda: stream.token() + in_children(stream.token, 1)[0], 2)]

    one = draw()
    assert len({part for message in one[1:] for part in (message[:16], message[16:])}) == 4
    assert len(one[1]) == 32


# -- folders


def test_links_are_no_messages(tmp_path: Path) -> None:
    from encnn import files
    from encnn.parties.assistance import folders

    secret = IntegerVectorSecretKey(COMPACT_128, [1])
    (tmp_path / "run").mkdir()
    folders.write_request(tmp_path / "elsewhere", Request(1, 0.1, secret.encrypt(np.zeros((1, 1)))))
    path = tmp_path / "run" / f"{folders.REQUEST}-00000001"
    assert folders.read_request(tmp_path / "elsewhere", secret.context, 1).trip == 1

    class Linking(Assistant):
        def opening(self) -> Opening:
            path.symlink_to(tmp_path / "elsewhere")
            return super().opening()

    with pytest.raises(EncnnError, match="not a regular file"):
        folders.serve(Linking(secret), tmp_path / "run", timeout=1)
    assert files.read(tmp_path / "run" / folders.REFUSAL, folders.REFUSAL)[0]["reason"].endswith(
        "expected one that encnn wrote"
    )


@pytest.mark.parametrize("error", [OSError, RuntimeError, MemoryError, RecursionError])
def test_serving_refuses_where_anything_fails(error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from encnn import files
    from encnn.parties.assistance import folders

    secret = IntegerVectorSecretKey(COMPACT_128, [1])

    class Failing(Assistant):
        def opening(self) -> Opening:
            folders.write_request(tmp_path / f"{folders.REQUEST}-00000001", Request(1, 0.1, secret.encrypt(np.zeros((1, 1)))))
            return super().opening()

        def _read(self, scores: CiphertextArray) -> np.ndarray:
            raise error("with a decrypted number, 0.125")

    side = Failing(secret)
    with pytest.raises(DivergenceError):
        folders.serve(side, tmp_path, timeout=1)
    assert side.closed and side.tally.refused == 1
    assert (
        files.read(tmp_path / folders.REFUSAL, folders.REFUSAL)[0]["reason"]
        == "it ended the run because of numbers that it decrypted; ask the owner about them"
    )


def test_answers_that_cannot_be_written_are_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from encnn.parties.assistance import folders

    secret = IntegerVectorSecretKey(COMPACT_128, [1])

    class Asked(Assistant):
        def opening(self) -> Opening:
            folders.write_request(tmp_path / f"{folders.REQUEST}-00000001", Request(1, 0.1, secret.encrypt(np.zeros((1, 1)))))
            (tmp_path / f"{folders.ANSWER}-00000001").mkdir()
            return super().opening()

    with pytest.raises(DataError, match="could not be answered"):
        folders.serve(Asked(secret), tmp_path, timeout=1)
    assert (tmp_path / folders.REFUSAL).exists()


# -- seeded streams under real keys


def test_seeded_streams_are_refused_under_real_keys() -> None:
    from encnn.schemes import fv, integer_vector, yashe

    rng = np.random.default_rng(1)
    for scheme, p in ((integer_vector, SMALL), (fv, fv.TOY), (yashe, yashe.TOY)):
        for key_rng in (None, np.random.default_rng(2)):
            _, evaluator = scheme.make_keys(p, [1], rng=key_rng, public_widths=[1])
            if key_rng is None:
                with pytest.raises(EncnnError, match="leave out rng"):
                    evaluator.encrypt(np.zeros((1, 1)), rng)
            else:
                evaluator.encrypt(np.zeros((1, 1)), rng)
    owner = Owner(linear(3), PLAN.sigmoid, SMALL)
    step = AssistedStep(Recorder(Assistant(owner.secret_key)), rng=rng)  # type: ignore[arg-type]
    with pytest.raises(EncnnError, match="leave out rng"):
        Trainer(owner.encrypt(Network(linear(3), np.zeros((3, 1)), None))).train(np.eye(3, dtype=int), [0, 1, 1], PLAN, step)
