"""The range coder: round trip, exact ends, size, golden bytes."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.codec import entropy
from t4vcodec.codec.entropy import Coder, code, code_raw
from t4vcodec.training.tables import to_frequencies

SKEWED = np.array([[0, 40000, 60000, 65536], [0, 1, 65535, 65536], [0, 65534, 65535, 65536]], np.uint32)


def cumulated(frequencies: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros((len(frequencies), 1)), frequencies.cumsum(1)], 1).astype(np.uint32)


def run(coder: Coder, cum: np.ndarray, items: list[tuple[int, int, int]]) -> list[int]:
    """items: (row, 0, symbol), or (-1, bits, value) for raw bits. Returns what was coded or read."""
    return [
        int(code(*coder.arrays, cum, row, value) if row >= 0 else code_raw(*coder.arrays, bits, value))
        for row, bits, value in items
    ]


def encoded(cum: np.ndarray, items: list[tuple[int, int, int]]) -> bytes:
    coder = Coder.encoder(4 * len(items) + 16)
    run(coder, cum, items)
    return coder.finish()


def ideal_bits(cum: np.ndarray, items: list[tuple[int, int, int]]) -> float:
    widths = np.diff(cum.astype(np.int64))
    return sum(bits if row < 0 else 16 - np.log2(widths[row, value]) for row, bits, value in items)


@st.composite
def messages(draw: st.DrawFn, most: int = 200) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Random tables, some extremely skewed, and a random mixture of symbols and raw bits."""
    alphabet = draw(st.integers(2, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = rng.random((draw(st.integers(1, 4)), alphabet)) ** draw(st.sampled_from([0.2, 1.0, 8.0, 60.0]))
    cum = cumulated(to_frequencies(weights, alphabet)[:, :alphabet])
    symbol = st.tuples(st.integers(0, len(cum) - 1), st.just(0), st.integers(0, alphabet - 1))
    raw = st.integers(0, 16).flatmap(
        lambda bits: st.tuples(st.just(-1), st.just(bits), st.integers(0, (1 << bits) - 1))
    )
    return cum, draw(st.lists(st.one_of(symbol, raw), max_size=most))


@given(messages())
def test_round_trip_ends_exactly(message):
    cum, items = message
    data = encoded(cum, items)
    decoder = Coder.decoder(data)
    assert run(decoder, cum, [(row, bits, 0) for row, bits, _ in items]) == [value for _, _, value in items]
    assert decoder.ended_exactly()


@given(messages(60), st.data())
def test_another_length_is_refused_or_says_something_else(message, data):
    cum, items = message
    whole = encoded(cum, items)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for other in (cut, whole + data.draw(st.binary(min_size=1, max_size=9))):
        decoder = Coder.decoder(other)
        symbols = run(decoder, cum, items)
        assert not decoder.ended_exactly() or symbols != [value for _, _, value in items]


@given(st.binary(max_size=40), st.integers(0, 80), st.integers(0, 2))
def test_what_is_accepted_is_what_the_encoder_writes(data, count, row):
    """No two payloads of the same symbols: another payload is refused or means something else."""
    items = [(row, 0, 0)] * count
    decoder = Coder.decoder(data)
    symbols = run(decoder, SKEWED, items)
    if decoder.ended_exactly():
        assert encoded(SKEWED, [(row, 0, s) for s in symbols]) == data


@pytest.mark.parametrize("skew", [0.5, 3.0, 20.0])
@pytest.mark.parametrize("count", [0, 1, 30, 3000])
def test_size_against_information(skew, count):
    rng = np.random.default_rng(count)
    frequencies = to_frequencies(rng.random((6, 16)) ** skew, 16)[:, :16]
    cum = cumulated(frequencies)
    rows = rng.integers(0, 6, count)
    symbols = [int(rng.choice(16, p=frequencies[r] / 65536)) for r in rows]
    items = [(int(r), 0, s) for r, s in zip(rows, symbols)]
    assert 8 * len(encoded(cum, items)) <= ideal_bits(cum, items) * 1.01 + 16


@pytest.mark.parametrize("skew", [0.5, 3.0, 20.0])
def test_not_larger_than_constriction(skew):
    stream = pytest.importorskip("constriction").stream
    rng = np.random.default_rng(5)
    frequencies = to_frequencies(rng.random((1, 12)) ** skew, 12)[:, :12]
    symbols = rng.choice(12, size=3000, p=frequencies[0] / 65536).astype(np.int32)
    theirs = stream.queue.RangeEncoder()
    model = stream.model.Categorical((frequencies[0] / 65536).astype(np.float32), perfect=False)
    theirs.encode(symbols, model)
    size = 4 * len(theirs.get_compressed())
    assert len(encoded(cumulated(frequencies), [(0, 0, int(s)) for s in symbols])) <= size * 1.01 + 3


def test_golden_bytes():
    """Wire format: if this fails, streams of earlier versions do not decode any more."""
    items = [(i * i % 7 % 3, 0, (i * i * i + 5) % 11 % 3) for i in range(40)]
    items[10:10] = [(-1, 16, 0xBEEF), (-1, 0, 0), (-1, 1, 1), (-1, 5, 19)]
    assert encoded(SKEWED, items).hex() == GOLDEN
    assert encoded(SKEWED, []).hex() == "00"


def test_a_full_buffer_is_reported():
    coder = Coder.encoder(3)
    run(coder, SKEWED, [(-1, 16, 0x1234)] * 4)
    assert coder.finish() is None


@settings(max_examples=50)
@given(st.binary(max_size=30))
def test_reading_beyond_the_end_is_harmless(data):
    decoder = Coder.decoder(data)
    values = run(decoder, SKEWED, [(0, 0, 0)] * 300)
    assert set(values) <= {0, 1, 2}


def test_example_in_the_manual():
    assert doctest.testmod(entropy).failed == 0


GOLDEN = (
    "ea60159ffffeea5f0d32cf6fc177f3917890613c418a68328c26ec8e1abed295d2cc7c8192a2640f"
    "414b1cb8f1560e85c81e9ced7e3b04a631a7cd97407780"
)
