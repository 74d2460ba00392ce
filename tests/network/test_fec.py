"""Forward error correction: what survives, bit for bit, at which delay, at which cost."""

import doctest
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.baselines.x264 import X264Receiver, X264Stream
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Frame
from t4vcodec.network import fec
from t4vcodec.network.fec import RESERVE, FecError, Protection, overhead_bytes, plan, protect
from t4vcodec.network.shards import unwrap
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD

FPS = 25
KINDS = ("rs", "streaming")


def media(counts, seed=0, largest=40):
    """Payloads of random bytes, `counts` of them in each frame."""
    random = np.random.default_rng(seed)
    return [tuple(random.bytes(int(random.integers(1, largest + 1))) for _ in range(n)) for n in counts]


def guarded(counts, protection, keys=(), **settings):
    frames = media(counts, **settings)
    return frames, protect(frames, [i in keys for i in range(len(counts))], FPS, protection)


def fates(sent, *places):
    lost = np.zeros(len(sent.packets), bool)
    lost[list(places)] = True
    return lost


COUNTS = st.lists(st.integers(0, 6), max_size=13)
PROTECTIONS = st.builds(
    Protection,
    st.sampled_from(KINDS),
    st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]),
    st.integers(1, 5),
    st.sampled_from([1.0, 2.0]),
) | st.just(Protection("none"))


@st.composite
def sent_and_lost(draw):
    counts = draw(COUNTS)
    keys = draw(st.sets(st.integers(0, 12), max_size=2))
    frames, sent = guarded(counts, draw(PROTECTIONS), keys, seed=draw(st.integers(0, 99)))
    loss = draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.8, 1.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return frames, sent, random.random(len(sent.packets)) < loss


def test_doctest():
    assert doctest.testmod(fec).failed == 0


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("redundancy", [0.1, 0.5, 1.0, 4.0])
def test_n_minus_k_losses_and_no_more(block, redundancy):
    frames, sent = guarded([3, 5, 1, 4, 7, 2, 2, 6], Protection("rs", redundancy, block), keys={0})
    random = np.random.default_rng(1)
    for first in range(0, 8, block):
        members = np.flatnonzero(sent.plan.packet_frames // block == first // block)
        k = sum(len(frames[i]) for i in range(first, first + block))
        spare = len(members) - k
        assert spare == int(np.ceil(round(k * redundancy, 9)))
        for _ in range(20):
            lost = fates(sent, *random.permutation(members)[:spare])
            assert sent.recovered(lost)[0] == tuple(frames)
            lost = fates(sent, *random.permutation(members)[: spare + 1])
            damaged = {sent.packets[i].frame for i in np.flatnonzero(lost) if i in sent.plan.media_at}
            payloads, _ = sent.recovered(lost)
            assert {i for i in range(8) if payloads[i] != frames[i]} == damaged
            assert set(np.flatnonzero(~sent.recovered_count(lost))) == damaged


@given(st.data())
@settings(deadline=None)
def test_any_pattern_of_at_most_n_minus_k_losses_a_block_recovers(data):
    block, counts = data.draw(st.sampled_from([1, 2, 4])), data.draw(COUNTS)
    frames, sent = guarded(counts, Protection("rs", data.draw(st.sampled_from([0.3, 1.0, 3.0])), block))
    lost = fates(sent)
    for number in range(0, len(counts), block):
        members = np.flatnonzero(sent.plan.packet_frames // block == number // block)
        spare = len(members) - sum(counts[number : number + block])
        if spare:
            places = st.lists(st.sampled_from(list(members)), max_size=spare, unique=True)
            lost[data.draw(places)] = True
    payloads, delays = sent.recovered(lost)
    assert payloads == tuple(frames)
    assert sent.recovered_count(lost).all()
    assert all(0 <= delay < block for delay in delays)


@given(sent_and_lost())
@settings(deadline=None)
def test_counting_agrees_with_decoding(case):
    frames, sent, lost = case
    payloads, delays = sent.recovered(lost)
    assert [a == b for a, b in zip(payloads, frames)] == sent.recovered_count(lost).tolist()
    assert list(delays) == sent.plan.delays(lost).tolist()
    assert all(0 <= delay <= sent.protection.delay_frames for delay in delays)
    shown = np.arange(len(frames)) + delays
    assert (np.diff(shown) >= 0).all()
    for have, all_ in zip(payloads, frames):  # nothing invented, order kept
        rest = iter(all_)
        assert all(payload in rest for payload in have)


@given(sent_and_lost())
@settings(deadline=None)
def test_what_is_shown_rests_on_nothing_later(case):
    frames, sent, lost = case
    payloads, delays = sent.recovered(lost)
    for i in range(len(frames)):
        earlier, _ = sent.recovered(lost | (sent.plan.packet_frames > i + delays[i]))
        assert earlier[i] == payloads[i]


@given(sent_and_lost())
@settings(deadline=None)
def test_all_bytes_are_counted(case):
    frames, sent, _ = case
    sizes = [[len(payload) for payload in payloads] for payloads in frames]
    plain = sum(map(sum, sizes))
    wire = sum(packet.wire_bytes for packet in sent.packets)
    keys = sent.protection.key_factor
    assert sent.media_bytes == plain
    assert wire == plain + sent.protection_bytes + HEADER_BYTES * len(sent.packets)
    assert sent.plan.overhead_bytes == wire - plain - HEADER_BYTES * sum(map(len, sizes))
    if keys == 1:
        assert overhead_bytes(sizes, [False] * len(frames), sent.protection) == sent.plan.overhead_bytes
    assert [len(p.data) for p in sent.packets] == sent.plan.packet_sizes.tolist()
    assert [p.frame for p in sent.packets] == sent.plan.packet_frames.tolist()
    assert all(packet.send_time == packet.frame / FPS for packet in sent.packets)
    assert [sent.packets[at].data for at in sent.plan.media_at] == [p for f in frames for p in f]


@pytest.mark.parametrize("kind", KINDS)
def test_many_patterns_at_once(kind):
    _, sent = guarded([2, 3, 0, 4, 1, 5, 2], Protection(kind, 0.6, 3), keys={3})
    lost = np.random.default_rng(0).random((50, len(sent.packets))) < 0.4
    assert (sent.recovered_count(lost) == [sent.recovered_count(row) for row in lost]).all()
    assert (sent.plan.delays(lost) == [sent.plan.delays(row) for row in lost]).all()
    assert sent.recovered_count(lost).shape == (50, 7)


def test_delay_of_blocks():
    _, sent = guarded([1] * 8, Protection("rs", 0.5, 4))
    places = sent.plan.media_at
    assert sent.recovered(fates(sent))[1] == (0,) * 8
    assert sent.recovered(fates(sent, places[1]))[1] == (0, 2, 1, 0, 0, 0, 0, 0)
    assert sent.recovered(fates(sent, places[0], places[6]))[1] == (3, 2, 1, 0, 0, 0, 1, 0)
    # Hopeless blocks keep the receiver waiting too: it cannot know before their end.
    assert sent.recovered(fates(sent, *places[:3]))[1] == (3, 2, 1, 0, 0, 0, 0, 0)
    assert sent.recovered(fates(sent, *range(len(sent.packets))))[1] == (3, 2, 1, 0) * 2
    _, sent = guarded([1] * 6, Protection("rs", 0.5, 4))  # the clip ends within a block
    assert sent.recovered(fates(sent, *range(len(sent.packets))))[1] == (3, 2, 1, 0, 1, 0)


@pytest.mark.parametrize(
    "protection", [Protection("none"), Protection("rs", 1, 1), Protection("streaming", 1)]
)
def test_single_frames_add_no_delay(protection):
    _, sent = guarded([3, 1, 4, 1, 5], protection)
    for loss in (0.0, 0.3, 1.0):
        lost = np.random.default_rng(0).random(len(sent.packets)) < loss
        assert sent.recovered(lost)[1] == (0,) * 5


def test_redundancy_is_rounded_up_without_rounding_errors():
    def parity(k, *protection):
        return len(plan([[10] * k], [True], Protection("rs", *protection)).parity)

    assert parity(10, 0.1) == 1  # 10 * 1.1 is a little above 11
    assert parity(10, 0.11) == 2
    assert parity(1, 0.1) == 1
    assert parity(3, 0.5) == 2
    assert parity(10, 0.1, 1, 3.0) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_key_frames_get_more(kind):
    counts = [4] * 12
    keys = [i == 5 for i in range(12)]
    plain = plan([[100] * n for n in counts], keys, Protection(kind, 0.5, 2))
    more = plan([[100] * n for n in counts], keys, Protection(kind, 0.5, 2, key_factor=3))
    extra = {5: 8} if kind == "rs" else {5: 4}  # in rs for the whole block of two frames
    for i in range(12):
        assert sum(p.frame == i for p in more.parity) - sum(p.frame == i for p in plain.parity) == extra.get(
            i, 0
        )


@pytest.mark.parametrize("kind", KINDS)
def test_parity_fits_into_packets(kind):
    largest = MAX_PAYLOAD - RESERVE
    frames = [(bytes(largest), bytes(7))]
    sent = protect(frames, [True], FPS, Protection(kind, 2.0))
    assert max(len(packet.data) for packet in sent.packets) <= MAX_PAYLOAD
    assert sent.recovered([True, True, False, False, True, False])[0] == tuple(frames)
    with pytest.raises(FecError, match=f"at most {largest} bytes"):
        protect([(bytes(largest + 1),)], [True], FPS, Protection(kind, 2.0))
    assert len(protect([(bytes(MAX_PAYLOAD),)], [True], FPS, Protection("none")).packets) == 1


def test_blocks_longer_than_a_code():
    frames, sent = guarded([150, 3, 90, 7], Protection("rs", 1.0, 4), largest=9)
    strides = {parity.stride for parity in sent.plan.parity}
    assert strides == {2}
    assert len(sent.packets) == 500
    # Dealt in turn: a burst through half of all packets costs each code half of its packets.
    assert sent.recovered(fates(sent, *range(100, 350)))[0] == tuple(frames)
    lost = np.random.default_rng(0).random(500) < 0.45
    assert sent.recovered(lost)[0] == tuple(frames)
    payloads, _ = sent.recovered(fates(sent, *range(100, 356)))
    assert payloads != tuple(frames)
    with pytest.raises(FecError, match="fewer frames"):
        plan([[1] * 3500], [True], Protection("rs", 20.0))


@pytest.mark.parametrize("kind", ["none", *KINDS])
def test_empty_clips_and_frames(kind):
    protection = Protection(kind, *(() if kind == "none" else (1.0, 2)))
    sent = protect([], [], FPS, protection)
    assert sent.packets == ()
    assert sent.recovered([]) == ((), ())
    sent = protect([(), (), ()], [True, False, False], FPS, protection)
    assert sent.recovered([]) == (((), (), ()), (0, 0, 0))
    assert sent.recovered_count([]).tolist() == [True] * 3


@given(st.integers(0, 10**7), st.integers(-32767, 32767))
def test_packet_numbers_wrap(number, off):
    assert unwrap(number & 0xFFFF, number + off) == number


BAD = [
    ("xor", 0.5),
    ("none", 0.5),
    ("none", 0.0, 4),
    ("rs", 0.0),
    ("rs", -1.0),
    ("rs", float("nan")),
    ("rs", float("inf")),
    ("rs", 0.5, 0),
    ("rs", 0.5, 33),
    ("rs", 0.5, 1, 0.5),
    ("rs", 5.0, 1, 5.0),
    ("streaming", 0.5, 1, float("inf")),
]


@pytest.mark.parametrize("arguments", BAD)
def test_senseless_protection(arguments):
    with pytest.raises(FecError) as error:
        Protection(*arguments)
    assert isinstance(error.value, T4VError)
    assert "\n" not in str(error.value)


def test_wrong_use():
    frames, sent = guarded([2, 2], Protection("rs", 0.5))
    for lost in ([False] * 5, [False] * 7, np.zeros((2, 2, 6), bool)):
        with pytest.raises(ValueError, match="6 fates"):
            sent.recovered_count(lost)
    with pytest.raises(ValueError, match="key"):
        protect(frames, [True], FPS, Protection("rs", 0.5))


def test_names():
    assert Protection("none").name == "none"
    assert Protection("rs", 0.50, 4).name == "rs:0.5:4"
    assert Protection("streaming", 1, 2, 1.5).name == "streaming:1:2:key1.5"
    assert [Protection("rs", 1, b).delay_frames for b in (1, 2, 4)] == [0, 1, 3]


# Real packets through a real decoder


@pytest.fixture(scope="module")
def coded():
    """Frames of H.264, each cut into equal parts of at most 300 bytes, and a function that shows them."""
    random = np.random.default_rng(0)
    picture = np.clip(random.normal(128, 30, (40, 60)), 16, 235).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    chroma = np.full((72, 88), 128, np.uint8)
    frames = [Frame(picture[i : i + 144, 2 * i : 2 * i + 176], chroma, chroma, i / FPS) for i in range(8)]
    stream = X264Stream(176, 144, FPS, crf=15)
    cut = []
    for frame in frames:
        unit = b"".join(len(p.data).to_bytes(2, "big") + p.data for p in stream.send(frame))
        pieces = -(-len(unit) // 300)
        ends = [len(unit) * i // pieces for i in range(pieces + 1)]
        cut.append(tuple(unit[a:b] for a, b in pairwise(ends)))

    def show(payloads):
        receiver = X264Receiver(176, 144, FPS, stream.parameter_sets)
        pictures = []
        for number, pieces in enumerate(payloads):
            unit, parts = b"".join(pieces), []
            while len(pieces) == len(cut[number]) and unit:
                size = int.from_bytes(unit[:2], "big")
                parts.append(unit[2 : 2 + size])
                unit = unit[2 + size :]
            pictures.append(receiver.receive(parts, number).y)
        return pictures

    return cut, show


@pytest.mark.parametrize("block", [1, 2, 4])
def test_real_packets_through_a_real_decoder(coded, block):
    cut, show = coded
    clean = show(cut)
    assert all((a != b).any() for a, b in pairwise(clean))
    sent = protect(cut, [i == 0 for i in range(8)], FPS, Protection("rs", 0.5, block, key_factor=2))
    assert all(np.array_equal(a, b) for a, b in zip(show(sent.recovered(fates(sent))[0]), clean))
    random = np.random.default_rng(2)
    most, lost = {}, fates(sent)
    for first in range(0, 8, block):
        members = random.permutation(np.flatnonzero(sent.plan.packet_frames // block == first // block))
        spare = len(members) - sum(len(cut[i]) for i in range(first, first + block))
        lost[members[:spare]] = True
        most[first] = members[spare]
    assert lost.sum() >= len(cut)
    assert all(np.array_equal(a, b) for a, b in zip(show(sent.recovered(lost)[0]), clean))
    for first, place in most.items():  # one packet more
        payloads, _ = sent.recovered(lost | fates(sent, place))
        pictures = show(payloads)
        whole = [a == b for a, b in zip(payloads, cut)]
        broken = whole.index(False)
        assert first <= broken < first + block
        assert all(np.array_equal(a, b) for a, b in zip(pictures[:broken], clean))
        assert not np.array_equal(pictures[broken], clean[broken])
