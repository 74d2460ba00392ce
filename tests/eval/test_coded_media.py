"""Encodes with a memory: found again, and found alike whatever was encoded before."""

import pytest
from t4vcodec.baselines.coded import encode
from t4vcodec.baselines.settings import CODECS, CodecSettings
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.candidates import MEDIA_PAYLOAD
from t4vcodec.eval.coded_media import CodedMedia, Facts, cut
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.metrics import ClipScore
from toy_scheme import moving_clip

CLIP = moving_clip(frames=10, fps=5)
X264 = CodecSettings("x264", "medium", "ssim")


def media(folder):
    return CodedMedia(CLIP, Cache(folder), FrameScores())


def total(facts: Facts) -> int:
    return facts.total_bytes


def test_facts_are_those_of_the_encode_and_come_from_the_cache(tmp_path, monkeypatch):
    first = media(tmp_path)
    facts = first.facts(X264, 250)
    coded = encode(CLIP.frames, CLIP.fps, X264, 26.0, MEDIA_PAYLOAD)
    assert first.quality(X264, 250) == 26.0
    assert facts.sizes == coded.sizes
    assert facts.keys == coded.keys
    assert facts.total_bytes == coded.total_bytes
    score = first.lossless(X264, 250)
    again = media(tmp_path)
    monkeypatch.setattr("t4vcodec.eval.coded_media.encode_source", lambda *_: pytest.fail("encoded again"))
    assert again.facts(X264, 250) == facts
    assert again.lossless(X264, 250) == score


@pytest.mark.parametrize("codec", CODECS)
def test_search_meets_the_bytes_on_the_same_way_every_time(codec, tmp_path):
    settings = CodecSettings(codec, CODECS[codec].presets[-1])
    if codec == "vp9":
        settings = CodecSettings(codec, "5")
    last = CodedMedia.last_step(settings)
    fresh = media(tmp_path)
    middle = fresh.facts(settings, last // 2).total_bytes
    found = {}
    for share in (0.8, 1.3):
        step = fresh.step_for(settings, total, round(share * middle), last // 2)
        assert step is None or abs(fresh.facts(settings, step).total_bytes / (share * middle) - 1) <= 0.02
        found[share] = step
    assert any(step is not None for step in found.values())
    for share in (1.3, 0.8):  # the other way round, with much encoded already
        assert fresh.step_for(settings, total, round(share * middle), last // 2) == found[share]


def test_search_says_so_where_nothing_gives_the_bytes(tmp_path):
    fresh = media(tmp_path)
    assert fresh.step_for(X264, total, 10**8, 300) is None
    assert fresh.step_for(X264, total, 1, 300) is None


def test_search_on_a_grid(tmp_path):
    fresh = media(tmp_path)
    target = fresh.facts(X264, 251).total_bytes
    step = fresh.step_for(X264, total, target, 100, grid=5, tolerance=1)
    assert step % 5 == 0
    assert abs(fresh.facts(X264, step).total_bytes / target - 1) < 0.08


def test_cut_is_near_what_packets_are(tmp_path):
    for settings in (X264, CodecSettings("x264", "medium", "ssim", share=4)):
        facts = media(tmp_path).facts(settings, 100)
        alone = media(tmp_path).facts(X264, 100)
        guess = cut(alone.frame_bytes, settings.share)
        assert [len(sizes) for sizes in guess] == pytest.approx([len(s) for s in facts.sizes], abs=1)
        assert sum(map(sum, guess)) == pytest.approx(sum(map(sum, facts.sizes)), rel=0.03)
        assert max(map(max, filter(None, guess))) <= MEDIA_PAYLOAD


def test_frame_scores_equal_those_measured_one_by_one():
    scores = FrameScores()
    plain, first, again = ClipScore(), ClipScore(), ClipScore()
    for number, (a, b) in enumerate(zip(CLIP.frames, CLIP.frames[1:])):
        plain.add(a, b)
        scores.add(first, number, a, b)
        scores.add(again, number, a, b)
    assert plain == first == again
