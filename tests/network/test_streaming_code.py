"""The streaming code: solves exactly what linear algebra can, in time, and what its windows are for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.network import streaming_code
from t4vcodec.network.fec import Protection, plan, protect
from t4vcodec.network.shards import Parity


def times(a, b):
    """Product in GF(256), bit by bit."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def rank(rows):
    """Rank of a matrix over GF(256), in the plainest way."""
    rows, found = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((r for r in range(found, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for r in range(found + 1, len(rows)):
            a, b = rows[found][column], rows[r][column]
            rows[r] = [times(a, x) ^ times(b, y) for x, y in zip(rows[r], rows[found])]
        found += 1
    return found


def test_field():
    products, inverses = streaming_code.PRODUCTS, streaming_code.INVERSES
    random = np.random.default_rng(0)
    for a, b in random.integers(0, 256, (500, 2)).tolist():
        assert products[a, b] == times(a, b)
    assert all(products[a, inverses[a]] == 1 for a in range(1, 256))


def test_coefficients_are_spread_evenly_and_never_zero():
    values = [streaming_code._coefficient(row, n) for row in range(60) for n in range(100)]
    counts = np.bincount(values, minlength=256)
    assert counts[0] == 0
    assert len(counts) == 256
    assert counts[1:].min() > 5
    assert counts.max() < 50
    assert streaming_code._coefficient(3, 5) == streaming_code._coefficient(3 + 65536, 5 + 65536)


def solvable(window, sent_plan, lost):
    """Lost media packets that determine themselves by their frames' deadlines, from ranks of all equations."""
    frames = sent_plan.media_frames
    unknown = [n for n, at in enumerate(sent_plan.media_at) if lost[at]]
    came = [p for p, at in zip(sent_plan.parity, sent_plan.parity_at) if not lost[at]]
    found = set()
    for number in unknown:
        rows = [
            [streaming_code._coefficient(p.index, n) if n in p.covered else 0 for n in unknown]
            for p in came
            if p.frame < frames[number] + window
        ]
        column = unknown.index(number)
        rest = [row[:column] + row[column + 1 :] for row in rows]
        if rows and rank(rows) > rank(rest):
            found.add(number)
    return found


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.sampled_from([0.3, 0.5, 1.0]),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.2, 0.4, 0.6]),
)
@settings(deadline=None, max_examples=60)
def test_solves_all_that_can_be_solved_in_time(counts, redundancy, window, seed, loss):
    sent = plan([[9] * n for n in counts], [False] * len(counts), Protection("streaming", redundancy, window))
    lost = np.random.default_rng(seed).random(len(sent.packet_frames)) < loss
    in_hand = sent._times(lost[None])[0] >= 0
    missing = lost[sent.media_at]
    assert set(np.flatnonzero(missing & in_hand)) == solvable(window, sent, lost)


def test_each_frame_may_be_mended_by_the_next():
    sent = protect([(bytes([i]) * 5,) for i in range(8)], [False] * 8, 25, Protection("streaming", 1.0, 4))
    assert [p.frame for p in sent.packets] == [i for i in range(8) for _ in range(2)]
    lost = np.zeros(16, bool)
    lost[[4, 5]] = True  # all of frame 2
    payloads, delays = sent.recovered(lost)
    assert payloads[2] == (bytes([2]) * 5,)
    assert delays == (0, 0, 1, 0, 0, 0, 0, 0)
    lost[[6, 7]] = True  # and of frame 3: two equations each of frames 4 and 5 are needed
    payloads, delays = sent.recovered(lost)
    assert [len(p) for p in payloads] == [1] * 8
    assert delays == (0, 0, 3, 2, 1, 0, 0, 0)


def test_what_came_too_late_does_not_count():
    sent = protect([(bytes([i]) * 5,) for i in range(8)], [False] * 8, 25, Protection("streaming", 1.0, 2))
    lost = np.zeros(16, bool)
    lost[[4, 5, 6, 7]] = True  # frames 2 and 3 whole: nothing after frame 3 covers frame 2
    payloads, delays = sent.recovered(lost)
    assert [len(p) for p in payloads] == [1, 1, 0, 1, 1, 1, 1, 1]
    assert delays == (0, 0, 1, 1, 0, 0, 0, 0)


def test_redundancy_is_kept_by_account():
    sizes, keys = [[50]] * 40, [False] * 40
    made = plan(sizes, keys, Protection("streaming", 0.25, 4)).parity
    assert [p.frame for p in made] == list(range(0, 40, 4))
    assert made[0] == Parity(0, 0, 1, 1, 0)
    assert made[3] == Parity(12, 9, 1, 4, 3)
    assert len(plan(sizes, keys, Protection("streaming", 0.1, 4)).parity) == 4
