"""The encoder's session: options, sizes, rate, structure, and that nothing depends on threads."""

from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.codec import Decoder, Encoder, EncoderError, Setup, SetupError
from t4vcodec.codec.encoder import TRANSPORT_HEADER
from t4vcodec.codec.packets import MAX_PAYLOAD
from t4vcodec.media import Colour, Frame


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either a rate"),
        ({"kbps": 300, "quality": 20}, "either a rate"),
        ({"kbps": 0}, "out of range"),
        ({"kbps": float("nan")}, "out of range"),
        ({"quality": 64}, "0 .* to 63"),
        ({"quality": -1}, "0 .* to 63"),
        ({"quality": 20.5}, "whole number"),
        ({"quality": 20, "resilience": 0.6}, "0 to 0.5"),
        ({"quality": 20, "resilience": -0.1}, "0 to 0.5"),
    ],
)
def test_options_that_can_not_be(options, message):
    with pytest.raises(EncoderError, match=message):
        Encoder(Setup(64, 48), **options)


@pytest.mark.parametrize("size", [(0, 48), (64, 4097), (-1, 1)])
def test_sizes_that_can_not_be(size):
    with pytest.raises(SetupError, match="sides go from 1 to 4096"):
        Setup(*size)


@pytest.mark.parametrize("fps", [0, -1, 1001])
def test_rates_that_can_not_be(fps):
    with pytest.raises(SetupError, match="frame rate"):
        Setup(64, 48, Fraction(fps))


def test_a_constant_quality_has_no_rate():
    encoder = Encoder(Setup(64, 48), quality=20)
    assert encoder.kbps is None
    with pytest.raises(EncoderError, match="constant quality"):
        encoder.kbps = 300
    encoder = Encoder(Setup(64, 48), kbps=100)
    with pytest.raises(EncoderError, match="out of range"):
        encoder.kbps = 0
    encoder.kbps = 50
    assert encoder.kbps == pytest.approx(50)


def test_a_frame_of_another_size_is_refused_and_forgotten(clip, make_clip):
    encoder = Encoder(clip.setup, quality=20)
    first = encoder.push(clip.frames[0])
    with pytest.raises(EncoderError, match="32x32 in a session of 64x48"):
        encoder.push(make_clip(32, 32, 1)[0])
    second = encoder.push(clip.frames[1])
    assert [list(map(bytes, p)) for p in (first, second)] == [list(map(bytes, p)) for p in clip.packets[:2]]


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (17, 33), (2, 40)])
@pytest.mark.parametrize("options", [{"quality": 10}, {"kbps": 30.0}, {"quality": 30, "resilience": 0.0}])
def test_small_and_odd_sizes(make_clip, size, options):
    frames = make_clip(*size, 18)
    setup = Setup(*size)
    encoder, decoder = Encoder(setup, **options), Decoder(setup)
    for frame in frames:
        (picture,) = decoder.push(encoder.push(frame))
        assert (picture.width, picture.height) == size
        assert picture.u.shape == frame.u.shape
        assert (decoder.state.last.y == encoder.reconstruction.y).all()
        error = np.abs(picture.y.astype(int) - frame.y.astype(int)).mean()
        assert error < 40


def noise(width: int, height: int, seed: int) -> Frame:
    rng = np.random.default_rng(seed)
    half = ((height + 1) // 2, (width + 1) // 2)
    return Frame(
        *(rng.integers(0, 256, s, dtype=np.uint8) for s in ((height, width), half, half)), 0.0, Colour()
    )


@pytest.mark.parametrize("options", [{"quality": 0}, {"kbps": 8000.0}, {"quality": 0, "resilience": 0.0}])
def test_packets_fit_even_for_noise(options):
    """White noise at the finest quality: more packets, then a coarser step, never a larger packet."""
    setup = Setup(64, 48)
    encoder, decoder = Encoder(setup, **options), Decoder(setup)
    for seed in range(3):
        packets = encoder.push(noise(64, 48, seed))
        assert max(map(len, packets)) <= MAX_PAYLOAD
        assert len(packets) <= 12
        assert len(decoder.push(packets)) == 1


def test_a_still_grey_picture_costs_next_to_nothing():
    grey = Frame(*(np.full(s, 128, np.uint8) for s in ((48, 64), (24, 32), (24, 32))), 0.0, Colour())
    encoder = Encoder(Setup(64, 48), quality=20)
    sizes = [sum(map(len, encoder.push(grey))) for _ in range(4)]
    assert max(sizes[1:]) <= 2 * (8 + 3)


def still_noise(seed: int) -> list[Frame]:
    """Six times the same random picture: nothing to code, until another one comes."""
    y = np.random.default_rng(seed).integers(16, 236, (80, 96), dtype=np.uint8)
    grey = np.full((40, 48), 128, np.uint8)
    return [Frame(y, grey, grey, i / 25, Colour()) for i in range(6)]


def test_a_scene_cut_makes_a_key_frame():
    encoder = Encoder(Setup(96, 80), quality=22)
    keys = [encoder.push(f)[0].header.key for f in still_noise(1) + still_noise(2)]
    assert keys == [i in (0, 6) for i in range(12)]


def test_structure(clip):
    """Key frame, long-term frames with copies at their period, plain frames that say where those lie."""
    headers = [packets[0].header for packets in clip.packets]
    assert all(p.header == h for h, packets in zip(headers, clip.packets) for p in packets)
    assert headers[0].key
    assert len([h for h in headers if h.long]) >= 2
    latest = 0
    for i, h in enumerate(headers[1:], 1):
        assert h.distance == i - latest
        assert h.copies == h.long
        latest = i if h.long else latest


def test_without_resilience_there_are_no_copies(make_clip):
    encoder = Encoder(Setup(64, 48), quality=20, resilience=0)
    headers = [encoder.push(f)[0].header for f in make_clip(64, 48, 40)]
    assert not any(h.copies for h in headers)
    assert [i for i, h in enumerate(headers) if h.long] == [0]


@pytest.mark.parametrize("options", [{"quality": 18}, {"kbps": 120.0}, {"kbps": 4.0}])
def test_the_packets_do_not_depend_on_threads(make_clip, encode, options):
    frames = make_clip(112, 80, 18, seed=3)
    one, two = (encode(frames, threads=n, **options) for n in (1, 2))
    assert [[bytes(p) for p in f] for f in one.packets] == [[bytes(p) for p in f] for f in two.packets]
    assert all(a.symbols == b.symbols for a, b in zip(one.symbols, two.symbols))


def sent_kbps(packets: list[list], fps: float = 25.0) -> float:
    bits = sum(8 * (len(p) + TRANSPORT_HEADER) for frame in packets for p in frame)
    return bits * fps / len(packets) / 1000


@pytest.mark.parametrize("kbps", [60.0, 150.0, 250.0])
def test_the_rate_is_met(make_clip, encode, kbps):
    """Headers counted, over any 2 s after the first. The pictures are small and a packet is much of a frame's
    bits here, so the band is wider than the 5 % of real sizes."""
    packets = encode(make_clip(96, 80, 125), kbps=kbps).packets
    for start in range(25, 76, 5):
        assert sent_kbps(packets[start : start + 50]) == pytest.approx(kbps, rel=0.08)


def test_the_rate_can_change_at_any_time(make_clip):
    frames = make_clip(96, 80, 180)
    encoder = Encoder(Setup(96, 80), kbps=300)
    packets = []
    for i, frame in enumerate(frames):
        if i == 60:
            encoder.kbps = 100
        if i == 120:
            encoder.kbps = 250
        packets.append(encoder.push(frame))
    assert sent_kbps(packets[85:120]) == pytest.approx(100, rel=0.1)
    assert sent_kbps(packets[145:180]) == pytest.approx(250, rel=0.1)


def test_stats_say_what_was_sent(make_clip):
    encoder = Encoder(Setup(64, 48), quality=20)
    for i, frame in enumerate(make_clip(64, 48, 18)):
        packets = encoder.push(frame)
        stats = encoder.stats
        assert (stats.number, stats.packets) == (i, len(packets))
        assert stats.bytes == sum(len(p) + TRANSPORT_HEADER for p in packets)
        assert stats.bits["headers"] == 8 * 48 * len(packets)
        assert abs(sum(stats.bits.values()) / 8 - stats.bytes) <= 0.01 * stats.bytes + 2 * len(packets)


def test_the_frames_time_and_colour_do_not_matter(clip):
    """Only samples travel; labels are the session's."""
    encoder = Encoder(clip.setup, quality=20)
    f = clip.frames[0]
    packets = encoder.push(Frame(f.y, f.u, f.v, 99.0, Colour("bt709", full_range=True)))
    assert list(map(bytes, packets)) == list(map(bytes, clip.packets[0]))
