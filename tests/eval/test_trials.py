"""Candidates for real: same fates, all bytes, nothing lost on the way that the channel did not lose."""

from dataclasses import replace

import numpy as np
import pytest
from t4vcodec.baselines import standard
from t4vcodec.baselines.coded import encode
from t4vcodec.baselines.settings import CodecSettings
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.candidates import MEDIA_PAYLOAD, NONE, Candidate
from t4vcodec.eval.coded_media import CodedMedia
from t4vcodec.eval.estimates import Fates
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.metrics import score
from t4vcodec.eval.protocol import fates_of
from t4vcodec.eval.trials import Chosen, Trials
from t4vcodec.network import fec
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.fec import Protection
from toy_scheme import moving_clip

CLIP = moving_clip(frames=12, fps=5)
X264 = CodecSettings("x264", "medium", "ssim")
X265 = CodecSettings("x265", "medium", "ssim", slices=True)
PATHS = [
    Candidate(X264),
    Candidate(X264, Protection("rs", 0.5, 4)),
    Candidate(X264, Protection("streaming", 0.7, 2)),
    Candidate(X265, Protection("rs", 1.0, 2, 2.0)),
    Candidate(replace(X265, share=4), Protection("rs", 0.5, 4)),
    Candidate(CodecSettings("av1", "8"), Protection("rs", 0.3, 1)),
    Candidate(CodecSettings("vp9", "5", slices=True), Protection("streaming", 0.3, 4)),
]
paths = pytest.mark.parametrize("candidate", PATHS, ids=[c.name for c in PATHS])


class FixedFates:
    """A channel that loses the packets that it is told to."""

    name, mean_loss, identity = "fixed", 0.5, "fixed"

    def __init__(self, lost):
        self.fates = lost

    def session(self, clip, seed):
        fates = iter(self.fates)
        return type("Session", (), {"lost": lambda self, time: next(fates)})()


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    cache, scores = Cache(tmp_path_factory.mktemp("cache")), FrameScores()
    return Trials(CLIP, CodedMedia(CLIP, cache, scores), cache, scores)


def shown_by(run):
    pictures = []
    result = run(lambda number, frame: pictures.append(frame))
    return pictures, result


def equal(a, b):
    return all(
        np.array_equal(p, q)
        for x, y in zip(a, b, strict=True)
        for p, q in ((x.y, y.y), (x.u, y.u), (x.v, y.v))
    )


def step_of(candidate):
    return CodedMedia.last_step(candidate.settings) // 2


@paths
def test_without_loss_every_path_equals_the_plain_decode(trials, candidate):
    chosen = Chosen(candidate, step_of(candidate))
    quality = CodedMedia.quality(candidate.settings, chosen.step)
    coded = encode(CLIP.frames, CLIP.fps, candidate.settings, quality, MEDIA_PAYLOAD)
    receiver = standard.receiver(coded, CLIP.width, CLIP.height, CLIP.fps, CLIP.frames[0].colour)
    payloads, _ = coded.deliver(coded.frames, [0] * 12)
    plain = [receiver.receive(payloads[i], i) for i in range(12)]
    shown, run = shown_by(lambda look: trials.played(chosen, parse_channel("0"), 0, look))
    assert equal(shown, plain)
    assert run.score == score(CLIP.frames, plain)
    assert run.frames_frozen == run.packets_lost == 0
    assert trials.lossless(chosen).score == run.score


@paths
def test_bytes_and_fates(trials, candidate):
    channel = parse_channel("0.3")
    chosen = Chosen(candidate, step_of(candidate))
    sent = trials.sent(chosen)
    coded = trials.media.coded(candidate.settings, chosen.step)
    packets = fec.protect(coded.frames, coded.keys, CLIP.fps, candidate.protection).packets
    assert sent.total_bytes == sum(packet.wire_bytes for packet in packets)
    assert sent.bytes_headers == 40 * len(packets)
    facts = trials.media.facts(candidate.settings, chosen.step)
    assert trials.total_bytes(candidate, facts) == sent.total_bytes
    run = trials.played(chosen, channel, 3)
    fates = fates_of(packets, CLIP, channel, 3)
    assert (run.packets_sent, run.packets_lost) == (len(fates), sum(fates))
    assert max(run.delivery.waits) <= candidate.delay_frames
    assert trials.searched(chosen, channel, [3]) == [run.score.ssim_db]


def test_a_code_survives_what_it_has_room_for_and_no_more(trials):
    """RS over one block of 4 frames, real packets, real decoder: any n - k losses, but not one more."""
    settings = replace(X264, share=1)
    candidate = Candidate(settings, Protection("rs", 0.75, 4))
    chosen = Chosen(candidate, 200)
    facts = trials.media.facts(settings, 200)
    plan = fec.plan(facts.sizes, facts.keys, candidate.protection)
    first = np.flatnonzero(plan.packet_frames < 4)
    room = sum(parity.frame < 4 for parity in plan.parity)
    assert room >= 3
    clean, _ = shown_by(lambda look: trials.lossless(chosen, look))
    random = np.random.default_rng(2)
    for losses, survives in ((room, True), (room + 1, False)):
        for _ in range(4):
            lost = np.zeros(len(plan.packet_frames), bool)
            lost[first[0]] = True  # some media must be missing
            lost[random.choice(first[1:], losses - 1, replace=False)] = True
            shown, run = shown_by(
                lambda look, lost=lost: trials.played(chosen, FixedFates(lost.tolist()), 0, look)
            )
            assert run.packets_lost == losses
            assert equal(shown, clean) == survives


def test_meets_the_bytes_or_says_that_it_cannot(trials):
    candidate = Candidate(X264, Protection("rs", 1.0, 4))
    target = 3 * trials.media.facts(X264, 250).total_bytes
    chosen = trials.meet(candidate, target, 250)
    assert trials.sent(chosen).total_bytes == pytest.approx(target, rel=0.02)
    assert trials.meet(candidate, 10**8, 250) is None
    too_many = Candidate(X264, Protection("rs", 20.0, 4))
    assert trials.meet(too_many, target, 250) is None


@pytest.mark.parametrize("spelling", ["0.3", "ge:0.3:5", "get:0.3:300", "tambur"])
def test_estimated_fates_are_those_of_the_run(trials, spelling):
    channel = parse_channel(spelling)
    protection = Protection("rs", 1.0, 4)
    coded = trials.media.coded(X264, 250)
    packets = fec.protect(coded.frames, coded.keys, CLIP.fps, protection).packets
    plan = fec.plan(coded.sizes, coded.keys, protection)
    fates = Fates(channel, CLIP, [1000, 1001]).of(plan)
    assert fates.tolist() == [fates_of(packets, CLIP, channel, seed) for seed in (1000, 1001)]


def test_unprotected_waits_for_nothing(trials):
    run = trials.played(Chosen(Candidate(X264, NONE), 250), parse_channel("0.3"), 0)
    assert set(run.delivery.waits) == {0}
