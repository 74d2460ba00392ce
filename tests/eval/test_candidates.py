"""What opponents may choose from."""

from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval.candidates import (
    CODES,
    MEDIA_PAYLOAD,
    NONE,
    REDUNDANCIES,
    Candidate,
    Menu,
    protection,
)
from t4vcodec.network import fec
from t4vcodec.network.fec import Protection

X264 = CodecSettings("x264", "medium", "ssim")


def delay_of(candidate, frames=24):
    """The longest wait of any frame that losses can cause, from the protection's own plan."""
    share = candidate.settings.share
    sizes = [(50, 50) if i % share == share - 1 else () for i in range(frames)]
    plan = fec.plan(sizes, [False] * frames, candidate.protection)
    lost = np.random.default_rng(0).random((200, len(plan.packet_frames))) < 0.4
    worst = plan.delays(lost).max(axis=0)
    carriers = [i - i % share + share - 1 for i in range(frames)]
    return max(worst[carrier] + carrier - i for i, carrier in enumerate(carriers))


@pytest.mark.parametrize("share", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "code", [("none", 1), ("rs", 1), ("rs", 2), ("rs", 4), ("streaming", 1), ("streaming", 3)]
)
def test_delay_is_the_longest_wait(share, code):
    kind, block = code
    found = NONE if kind == "none" else Protection(kind, 1.0, block)
    candidate = Candidate(CodecSettings("x264", "medium", share=share), found)
    assert candidate.delay_frames == delay_of(candidate)


def test_through_json_and_back():
    candidate = Candidate(
        CodecSettings("x265", "medium", "psnr", Fraction(1, 2), "second", True, 4),
        Protection("rs", 0.5, 4, 2.0),
    )
    assert Candidate.from_dict(candidate.as_dict()) == candidate
    assert candidate.name == "x265-medium-psnr-half-second-resilient-share4 rs:0.5:4:key2"


def test_protections_are_allowed_and_cover_what_the_protocol_asks_for():
    all_of_them = {protection(code, r) for code in CODES for r in REDUNDANCIES}
    assert len(all_of_them) == len(CODES) * len(REDUNDANCIES)
    assert {p.block for p in all_of_them if p.kind == "rs"} == {1, 2, 4}
    assert {p.key_factor for p in all_of_them} == {1, 2}
    assert min(REDUNDANCIES) == 0.1
    assert max(REDUNDANCIES) >= 4
    assert MEDIA_PAYLOAD + fec.RESERVE == 1200


def test_menu():
    menu = Menu(["x264", "x265", "av1", "vp9"])
    assert all(s.gop == "infinite" for s in menu.representatives)
    assert {(s.codec, s.tune, s.scale) for s in menu.representatives} == {
        (s.codec, s.tune, s.scale) for s in menu.settings
    }
    for settings in menu.settings:
        representative = menu.representative(settings)
        assert settings in menu.variants(representative)
        assert representative.preset == "medium" or representative.codec in ("av1", "vp9")
    assert menu.plain("x264") == X264
    assert menu.plain("av1").scale == 1
