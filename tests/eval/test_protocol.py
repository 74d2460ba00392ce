"""The one loop: same fates for everybody, all bytes counted, a picture for every frame."""

import itertools

import numpy as np
import pytest
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.protocol import play, record, run
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.stream import SentPacket
from toy_scheme import ToyScheme, moving_clip

CLIP = moving_clip()
SCHEME = ToyScheme()


def recording():
    return record(SCHEME.stream(CLIP, 100), CLIP.frames)


def test_bytes_and_packets_are_counted():
    r = recording()
    packets = 8 * 16
    assert len(r.packets) == packets
    assert r.bytes_media == packets * (1 + 24)
    assert r.bytes_headers == packets * 40
    assert r.total_bytes == sum(p.wire_bytes for p in r.packets)


def test_fates_are_consumed_packet_by_packet_in_sending_order():
    channel = parse_channel("0.3")
    lost = list(itertools.islice(channel.fates(CLIP.name, 5), 8 * 16))
    outcome = play(recording(), SCHEME.receiver(CLIP), CLIP, channel, 5)
    assert outcome.packets_lost == sum(lost)
    assert outcome.frames_damaged == int(np.array(lost).reshape(8, 16).any(axis=1).sum())


def test_same_seed_same_figures_other_seed_others():
    channel = parse_channel("0.3")
    outcomes = [play(recording(), SCHEME.receiver(CLIP), CLIP, channel, seed) for seed in (0, 0, 1)]
    assert outcomes[0].score == outcomes[1].score
    assert outcomes[0].score != outcomes[2].score


def test_no_loss_and_total_loss():
    clean = run(SCHEME.stream(CLIP, 1), SCHEME.receiver(CLIP), CLIP, parse_channel("0"), 0)
    assert (clean.packets_lost, clean.frames_damaged, clean.frames_frozen) == (0, 0, 0)
    gone = run(SCHEME.stream(CLIP, 1), SCHEME.receiver(CLIP), CLIP, parse_channel("1"), 0)
    assert gone.packets_lost == gone.packets_sent
    assert gone.frames_damaged == 8
    assert gone.frames_frozen == 7
    assert gone.score.ssim_db < clean.score.ssim_db


def test_pictures_can_be_looked_at_in_order():
    seen = []
    receiver = SCHEME.receiver(CLIP)
    play(recording(), receiver, CLIP, parse_channel("0.3"), 0, lambda i, f: seen.append((i, f.y.shape)))
    assert seen == [(i, (64, 96)) for i in range(8)]


def test_a_stream_may_not_number_frames_that_it_was_not_given():
    class Wild:
        def send(self, frame: Frame) -> list[SentPacket]:
            return [SentPacket(b"x", 1000, 0.0)]

        def finish(self) -> list[SentPacket]:
            return []

    with pytest.raises(EvalError):
        record(Wild(), CLIP.frames)


def test_rate_points_scale_with_the_pixel_rate():
    assert scaled_kbps(600, 854, 480, 25) == pytest.approx(600)
    assert scaled_kbps(600, 352, 288, 25) == pytest.approx(600 * (352 * 288 / (854 * 480)) ** 0.75)
    assert scaled_kbps(600, 854, 480, 50) == pytest.approx(600 * 2**0.75)


def test_clips_are_known_by_their_content():
    assert moving_clip().sha256 == CLIP.sha256
    assert moving_clip(seed=1).sha256 != CLIP.sha256
    assert moving_clip(frames=7).sha256 != CLIP.sha256
