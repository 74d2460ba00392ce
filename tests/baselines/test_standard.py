"""Standard codecs in packets: exact without loss, sensible with it, and as many bytes as asked for."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from t4vcodec.baselines import encoders, standard
from t4vcodec.baselines.pictures import resize, to_picture, to_planes
from t4vcodec.baselines.standard import CODECS, BaselineError, CodecSettings, encode
from t4vcodec.eval.metrics import score
from t4vcodec.media.frames import Colour, Frame

FPS = Fraction(5)
"""Few enough that a key frame each second shows in a short clip."""
HALF = Fraction(1, 2)
PLAIN = {
    "x264": CodecSettings("x264", "medium", "ssim"),
    "x265": CodecSettings("x265", "medium", "ssim"),
    "av1": CodecSettings("av1", "8"),
    "vp9": CodecSettings("vp9", "5"),
}
QUALITY = {"x264": 20, "x265": 20, "av1": 24, "vp9": 20}
"""At which the key frame of 176x144 fills several packets."""
VARIETY = [
    *PLAIN.values(),
    *(replace(s, gop="second", scale=HALF, share=4) for s in PLAIN.values()),
    *(replace(PLAIN[c], slices=True, gop="second") for c in ("x264", "x265", "vp9")),
    *(replace(PLAIN[c], gop="refresh") for c in ("x264", "x265")),
    replace(PLAIN["x264"], preset="veryfast", tune="psnr", scale=Fraction(2, 3), gop="refresh", slices=True),
    replace(PLAIN["x265"], tune="psnr", share=3),
    replace(PLAIN["vp9"], slices=True, share=2),
]
codecs = pytest.mark.parametrize("codec", CODECS)
varied = pytest.mark.parametrize("configuration", VARIETY, ids=[s.name for s in VARIETY])


@pytest.fixture(scope="module")
def clip(frames):
    return frames[:11]


def coded(clip, configuration, max_payload=1200):
    return encode(clip, FPS, configuration, QUALITY[configuration.codec], max_payload)


def show(clip, sent, arrived=None):
    """What the receiver shows; arrived: payloads by frame with which they left."""
    receiver = standard.receiver(sent, clip[0].width, clip[0].height, FPS, Colour())
    payloads, _ = sent.deliver(arrived or sent.frames, [0] * len(clip))
    return [receiver.receive(payloads[i], i) for i in range(len(clip))]


def without(sent, lost):
    return [() if i in lost else payloads for i, payloads in enumerate(sent.frames)]


def equal(a, b):
    return all(np.array_equal(p, q) for p, q in zip((a.y, a.u, a.v), (b.y, b.u, b.v)))


def plain_decode(clip, configuration):
    """The encoder's own packets through a decoder that is told nothing, and scaled up."""
    source = encoders.Source(clip, configuration)
    encoder = encoders._open(source, FPS, configuration, QUALITY[configuration.codec], 1200)
    decoder = av.CodecContext.create(CODECS[configuration.codec].decoder, "r")
    pictures = {}
    for packet in [*encoders._packets(encoder, source, FPS), None]:
        pictures |= {picture.pts: picture for picture in decoder.decode(packet)}
    for number in range(len(clip)):
        picture = pictures[number]
        if source.coded != source.full:
            planes = to_planes(picture, *source.coded)
            picture = resize(to_picture(Frame(*planes, time=0.0), *source.coded), *source.full)
        yield Frame(*to_planes(picture, clip[0].width, clip[0].height), time=0.0)


@varied
def test_no_loss_equals_the_plain_decode(clip, configuration):
    shown = show(clip, coded(clip, configuration))
    assert all(equal(a, b) for a, b in zip(shown, plain_decode(clip, configuration), strict=True))
    assert [frame.time for frame in shown] == [i / 5 for i in range(len(clip))]
    # At its own time: the picture of another frame would be far off.
    if configuration.scale == 1:
        assert min(score([a], [b]).psnr_y for a, b in zip(clip, shown)) > 30


@varied
@pytest.mark.parametrize("limit", [400, 1190])
def test_payloads(clip, configuration, limit):
    sent = coded(clip, configuration, limit)
    assert all(2 <= len(payload) <= limit for payloads in sent.frames for payload in payloads)
    assert sent.packets == sum(map(len, sent.frames))
    assert sent.total_bytes == sent.bytes + 40 * sent.packets == sum(map(sum, sent.sizes)) + 40 * sent.packets
    second = configuration.gop == "second"
    starts = {0, 5, 10} if second else {0}
    assert {i for i, key in enumerate(sent.keys) if key} == {sent.carrier(i) for i in starts}
    share = configuration.share
    for i, payloads in enumerate(sent.frames):
        assert bool(payloads) == (i % share == share - 1 or i == len(clip) - 1)
        sizes = [len(payload) for payload in payloads]
        if payloads and not (configuration.slices and configuration.codec == "x264"):
            assert max(sizes) - min(sizes) <= 1
    assert coded(clip, configuration, limit).frames == sent.frames


@codecs
def test_sharing_saves_packets_and_says_what_waits(clip, codec):
    alone, shared = (coded(clip, replace(PLAIN[codec], share=n)) for n in (1, 4))
    assert shared.total_bytes < alone.total_bytes
    assert shared.delay_frames == 3
    payloads, delays = shared.deliver(shared.frames, [0] * 10 + [1])
    assert delays == (3, 2, 1, 0, 3, 2, 1, 0, 3, 2, 1)
    assert payloads[4] is payloads[7] is shared.frames[7]
    assert alone.deliver(alone.frames, range(11)) == (alone.frames, tuple(range(11)))


@codecs
@pytest.mark.parametrize(("width", "height"), [(101, 67), (33, 21)])
def test_odd_and_tiny_sizes(odd_frames, codec, width, height):
    clip = [
        Frame(
            f.y[:height, :width].copy(),
            f.u[: (height + 1) // 2, : (width + 1) // 2].copy(),
            f.v[: (height + 1) // 2, : (width + 1) // 2].copy(),
            f.time,
        )
        for f in odd_frames
    ]
    for scale in (Fraction(1), HALF):
        shown = show(clip, coded(clip, replace(PLAIN[codec], scale=scale)))
        assert shown[0].y.shape == (height, width)
        assert score(clip, shown).psnr_y > (30 if scale == 1 else 15)


@codecs
def test_a_lost_frame_freezes_and_the_next_key_frame_heals(clip, codec):
    sent = coded(clip, replace(PLAIN[codec], gop="second"))
    whole, shown = show(clip, sent), show(clip, sent, without(sent, {2}))
    assert equal(shown[2], shown[1])
    assert all(equal(shown[i], whole[i]) for i in (0, 1, *range(5, 11)))


@pytest.mark.parametrize("configuration", [s for s in VARIETY if s.slices or s.codec == "x264"][:4])
@pytest.mark.parametrize("lost", [{3}, {3, 4}, {1, 3, 6}])
def test_resilient_streams_go_on_after_lost_frames(clip, configuration, lost):
    sent = coded(clip, replace(configuration, gop="infinite", share=1))
    shown = show(clip, sent, without(sent, lost))
    for i in range(1, len(clip)):
        assert equal(shown[i], shown[i - 1]) == (i in lost)
    assert score(clip[7:], shown[7:]).psnr_y > score(clip[7:], [shown[2]] * 4).psnr_y


@pytest.mark.parametrize("codec", ["av1", "vp9"])
def test_streams_that_cannot_go_on_wait_for_a_key_frame(clip, codec):
    sent = coded(clip, PLAIN[codec])
    lost = next(i for i in range(2, 8) if sent.kept[i])
    shown = show(clip, sent, without(sent, {lost}))
    assert all(equal(shown[i], shown[lost - 1]) for i in range(lost, len(clip)))


def test_losing_an_av1_frame_that_nobody_refers_to_costs_that_frame_only(clip):
    sent = coded(clip, PLAIN["av1"])
    leaves = {i for i, kept in enumerate(sent.kept) if not kept}
    assert leaves
    whole, shown = show(clip, sent), show(clip, sent, without(sent, leaves))
    assert all(equal(shown[i], shown[i - 1] if i in leaves else whole[i]) for i in range(len(clip)))


def test_the_beginning_of_an_h264_frame_is_used(clip):
    sent = encode(clip, FPS, PLAIN["x264"], 12, 400)
    last = len(clip) - 1
    assert len(sent.frames[last]) > 3
    arrived = {n: [*sent.frames[:last], sent.frames[last][:n]] for n in (0, 3)}
    nothing, part = (show(clip, sent, arrived[n])[last] for n in (0, 3))
    assert score(clip[last:], [part]).psnr_y > score(clip[last:], [nothing]).psnr_y
    # Without its first payload nothing can be read.
    assert equal(show(clip, sent, [*sent.frames[:last], sent.frames[last][1:]])[last], nothing)


@codecs
def test_grey_until_a_key_frame_came(clip, codec):
    shown = show(clip, sent := coded(clip, PLAIN[codec]), without(sent, {0}))
    assert all((f.y == 128).all() and (f.u == 128).all() for f in shown)


@codecs
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_receivers_never_raise(clip, codec, data):
    resilient = codec != "av1" and data.draw(st.booleans())
    share = 1 if resilient else data.draw(st.sampled_from([1, 4]))
    sent = coded(clip[:6], replace(PLAIN[codec], slices=resilient, share=share), 300)
    receiver = standard.receiver(sent, clip[0].width, clip[0].height, FPS, Colour())
    for i in range(8):  # two more than were sent
        payloads = list(sent.frames[sent.carrier(i)]) if i < 6 else [b"\x01" * 9]
        kept = [p for p in payloads if data.draw(st.integers(0, 9)) > 2]
        damaged = data.draw(st.lists(st.binary(max_size=50), max_size=2))
        assert receiver.receive([*kept, *damaged], i).y.shape == clip[0].y.shape


def test_between_whole_steps_of_vp9_there_are_others(clip):
    sizes = [encode(clip, FPS, PLAIN["vp9"], 40 + i / 20).total_bytes for i in range(21)]
    between = sorted(size for size in sizes if sizes[-1] <= size <= sizes[0])
    assert max(b / a for a, b in pairwise(between)) < 1.04


@pytest.mark.parametrize("configuration", VARIETY)
def test_settings_survive_json(configuration):
    values = json.loads(json.dumps(configuration.as_dict()))
    assert CodecSettings.from_dict(values) == configuration
    assert hash(CodecSettings.from_dict(values)) == hash(configuration)


@pytest.mark.parametrize("measure", ["ssim", "psnr"])
def test_candidates_differ_in_name_and_cover_what_was_asked(measure):
    found = standard.candidates(list(CODECS), measure, share=4)
    assert len({s.name for s in found}) == len(set(found)) == len(found)
    assert {s.codec for s in found} == set(CODECS)
    assert {s.share for s in found} == {1, 4}
    x264 = standard.candidates(["x264"], measure)
    assert {s.preset for s in x264} == {"veryfast", "medium"}
    assert {s.gop for s in x264} == {"infinite", "refresh", "second"}
    assert {s.scale for s in x264} == {1, Fraction(2, 3), HALF}
    assert {s.share for s in x264} == {1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"codec": "h266"}, "unknown baseline 'h266': take some of x264, x265, av1, vp9"),
        ({"preset": "placebo"}, "x264 has no preset placebo: take veryfast or medium"),
        ({"tune": "film"}, "no tune film"),
        ({"scale": Fraction(1, 3)}, "no scale 1/3"),
        ({"gop": "open"}, "no gop open"),
        ({"codec": "av1", "preset": "8", "tune": None, "slices": True}, "slices=False"),
        ({"share": 0}, "1 to 8 frames"),
        ({"share": 2, "slices": True}, "share=1"),
    ],
)
def test_settings_that_do_not_exist(values, message):
    with pytest.raises(BaselineError, match=message):
        CodecSettings(**{"codec": "x264", "preset": "medium"} | values)


def test_what_this_build_has(monkeypatch):
    standard.check_available(list(CODECS))
    with pytest.raises(BaselineError, match="unknown baseline 'av2': take some of x264, x265, av1, vp9"):
        standard.check_available(["x264", "av2"])
    monkeypatch.setitem(CODECS, "x265", replace(CODECS["x265"], encoder="libnothing"))
    with pytest.raises(BaselineError, match="'x265' needs FFmpeg's encoder libnothing"):
        standard.check_available(["x265"])


def test_contradictory_wishes(clip):
    with pytest.raises(BaselineError, match="quality lies between 1 and 51"):
        encode(clip, FPS, PLAIN["x264"], 60)
    with pytest.raises(BaselineError, match="no frames"):
        encode([], FPS, PLAIN["x264"], 30)
    with pytest.raises(BaselineError, match="payloads have 64 to 1200 bytes"):
        encode(clip, FPS, PLAIN["x264"], 30, 10)
    odd = Frame(clip[0].y[:100], clip[0].u[:50], clip[0].v[:50], 0.0)
    with pytest.raises(BaselineError, match="frame 1 has another size"):
        encode([clip[0], odd], FPS, PLAIN["x264"], 30)
    with pytest.raises(BaselineError, match="unknown measure"):
        standard.candidates(["x264"], "vmaf")
