"""x264 over packets: sizes, exactness without loss, the traps under loss, and the yardstick curve."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.baselines import h264_payload as h264
from t4vcodec.baselines.reference import Point, ReferenceCurve, encode
from t4vcodec.baselines.x264 import BaselineError, X264Receiver, X264Stream
from t4vcodec.eval.metrics import score
from t4vcodec.network.stream import MAX_PAYLOAD

FPS = Fraction(25)


def sent(frames, **settings):
    stream = X264Stream(frames[0].width, frames[0].height, FPS, **settings)
    packets = [stream.send(frame) for frame in frames]
    assert stream.finish() == []  # no look-ahead: nothing is held back
    return stream, packets


def shown(frames, stream, packets, keep=lambda frame, packet: True):
    receiver = X264Receiver(frames[0].width, frames[0].height, FPS, stream.parameter_sets)
    return [
        receiver.receive([p.data for j, p in enumerate(packets[i]) if keep(i, j)], i)
        for i in range(len(packets))
    ]


def psnr(frames, pictures):
    return score(frames, pictures).psnr_y


@pytest.mark.parametrize("crf", [1, 15, 30, 51])
def test_every_payload_fits_and_every_frame_is_sent_at_once(frames, crf):
    _, packets = sent(frames, crf=crf)
    assert all(packets)
    assert all(p.frame == i and len(p.data) <= MAX_PAYLOAD for i, ps in enumerate(packets) for p in ps)
    assert [p.send_time for ps in packets for p in ps] == sorted(p.send_time for ps in packets for p in ps)


def test_no_loss_shows_each_frame_at_its_time(frames):
    stream, packets = sent(frames, crf=12)
    pictures = shown(frames, stream, packets)
    assert psnr(frames, pictures) > 42
    # Frame by frame too: a picture shown one frame late would be far off.
    assert min(psnr([a], [b]) for a, b in zip(frames, pictures)) > 40
    assert [p.time for p in pictures] == [i / 25 for i in range(len(frames))]


def test_odd_sizes(odd_frames):
    stream, packets = sent(odd_frames, crf=12)
    pictures = shown(odd_frames, stream, packets)
    assert pictures[0].y.shape == (67, 101)
    assert psnr(odd_frames, pictures) > 40


def test_parameter_sets_travel_and_the_self_description_does_not(frames):
    stream, packets = sent(frames, crf=30)
    kinds = [h264.nal_type(nal) for nal in h264.depacketise([p.data for p in packets[0]])]
    assert kinds[:2] == [h264.SPS, h264.PPS]
    assert set(kinds[2:]) == {h264.IDR}
    assert [h264.nal_type(nal) for nal in stream.parameter_sets] == [h264.SPS, h264.PPS]
    later = [h264.nal_type(n) for ps in packets[1:] for n in h264.depacketise([p.data for p in ps])]
    assert set(later) == {h264.SLICE}


def test_losing_the_parameter_sets_is_not_the_end(frames):
    # At this quality the key frame fills several packets; the first one holds the parameter sets.
    stream, packets = sent(frames, crf=10)
    pictures = shown(frames, stream, packets, lambda frame, packet: frame > 0 or packet > 0)
    assert psnr(frames, pictures) > 15
    assert not any(np.array_equal(pictures[i].y, pictures[i + 1].y) for i in range(len(frames) - 1))


@pytest.mark.parametrize("gap", [1, 3, 15, 16, 17])
def test_pictures_go_on_after_a_run_of_lost_frames(frames, gap):
    """frame_num has 4 bits: without its repair nothing comes any more after some gaps."""
    stream, packets = sent(frames, crf=20)
    pictures = shown(frames, stream, packets, lambda frame, packet: not 3 <= frame < 3 + gap)
    for i in range(3, 3 + gap):
        assert np.array_equal(pictures[i].y, pictures[2].y)
    for i in range(3 + gap, len(frames)):
        assert not np.array_equal(pictures[i].y, pictures[i - 1].y)


def test_grey_until_a_key_frame_came(frames):
    stream, packets = sent(frames, crf=30)
    pictures = shown(frames, stream, packets, lambda frame, packet: frame > 0)
    assert all((p.y == 128).all() and (p.u == 128).all() for p in pictures)


@pytest.mark.parametrize("loss", [0.1, 0.3, 0.6, 0.95])
def test_a_picture_for_every_frame_at_any_loss(frames, loss):
    stream, packets = sent(frames, crf=15)
    random = np.random.default_rng(0)
    pictures = shown(frames, stream, packets, lambda frame, packet: random.random() > loss)
    assert [p.y.shape for p in pictures] == [frames[0].y.shape] * len(frames)


def test_concealment_makes_partly_lost_frames_useful(frames):
    stream, packets = sent(frames, crf=12)
    assert len(packets[-1]) > 2
    last = len(frames) - 1
    whole = shown(frames, stream, packets)[-1]
    partly = shown(frames, stream, packets, lambda frame, packet: frame < last or packet % 2 == 0)[-1]
    gone = shown(frames, stream, packets, lambda frame, packet: frame < last)[-1]
    errors = [float(np.mean((p.y.astype(float) - frames[-1].y) ** 2)) for p in (whole, partly, gone)]
    assert errors == sorted(errors)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=60)), max_size=6))
def test_damaged_packets_never_raise(frames, damage):
    stream, packets = sent(frames[:4], crf=30)
    receiver = X264Receiver(176, 144, FPS, stream.parameter_sets)
    for i, ps in enumerate(packets):
        payloads = [p.data for p in ps]
        for at, data in damage:
            payloads[at % len(payloads)] = payloads[at % len(payloads)][:at] + data
        assert receiver.receive(payloads, i).y.shape == (144, 176)


def test_target_bitrate(frames):
    _, packets = sent(frames * 4, kbps=200)
    kbps = sum(len(p.data) for ps in packets for p in ps) * 8 / 1000 / (4 * 24 / 25)
    assert kbps == pytest.approx(200, rel=0.25)  # x264 on so short a clip


def test_tune_changes_the_stream(frames):
    assert sent(frames, crf=30, tune="ssim")[1] != sent(frames, crf=30, tune="psnr")[1]


@pytest.mark.parametrize("settings", [{}, {"crf": 20, "kbps": 100}, {"crf": 0}, {"crf": 60}])
def test_contradictory_settings(settings):
    with pytest.raises(BaselineError):
        X264Stream(64, 64, FPS, **settings)


def test_wrong_size_and_missing_setup(frames):
    with pytest.raises(BaselineError, match="176x144"):
        X264Stream(64, 64, FPS, crf=20).send(frames[0])
    with pytest.raises(BaselineError, match="parameter set"):
        X264Receiver(64, 64, FPS, ())


def clip_score(source, pictures):
    result = score(source, pictures)
    return result.ssim_db, result.psnr_y


@pytest.fixture(scope="module")
def curve(frames):
    return ReferenceCurve(frames, FPS, clip_score)


@pytest.mark.parametrize("crf", [4, 18.3, 29.5, 44])
def test_reference_between_encodes_is_what_an_encode_gives(frames, curve, crf):
    total = encode(frames, FPS, crf).bytes
    exact = ReferenceCurve(frames, FPS, clip_score).measure(crf)
    assert exact.bytes == total
    found = curve.quality_at(total)
    assert found.ssim_db == pytest.approx(exact.ssim_db, abs=0.06)
    assert found.psnr_y == pytest.approx(exact.psnr_y, abs=0.1)


def test_reference_brackets_closely_and_remembers(frames, curve):
    curve.quality_at(12_000)
    known = curve.points
    assert [p.bytes for p in known] == sorted(p.bytes for p in known)
    again = ReferenceCurve(frames, FPS, lambda *_: pytest.fail("measured again"), known)
    assert again.quality_at(12_000) == curve.quality_at(12_000)
    above = min(p for p in (p.bytes for p in known) if p >= 12_000)
    below = max(p for p in (p.bytes for p in known) if p <= 12_000)
    assert above / below < 1.25


def test_reference_says_when_bytes_cannot_be_reached(curve):
    assert curve.quality_at(100) is None
    assert curve.quality_at(10**8) is None
    assert curve.encode_to(100) is None


def test_reference_interpolates_in_the_logarithm_of_the_bytes(frames):
    points = [Point(22.0, 16_000, 14.0, 36.0), Point(23.0, 4_000, 12.0, 34.0), Point(40.0, 1_000, 6.0, 28.0)]
    found = ReferenceCurve(frames, FPS, clip_score, points).quality_at(8_000)
    assert (found.ssim_db, found.psnr_y) == (pytest.approx(13), pytest.approx(35))


@pytest.mark.parametrize("total", [4_000, 12_345, 50_000])
def test_search_for_a_byte_target(curve, total):
    assert curve.encode_to(total).bytes == pytest.approx(total, rel=0.02)
