"""Our codec in a session: when reports are heard, when pictures are shown, what is counted."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.session_protocol import PATIENCE, Condition
from t4vcodec.eval.session_run import T4VSession, measure_ours, our_record, run_ours
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.link import IP_UDP_BYTES
from t4vcodec.network.stream import HEADER_BYTES
from toy_scheme import moving_clip

CLIP = moving_clip(frames=12)


@dataclass
class FakeEncoder:
    """Two packets a frame; notes which reports it had heard when each frame was pushed."""

    heard: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    def push(self, frame):
        self.known.append(max(self.heard, default=-1))
        number = len(self.known) - 1
        return [bytes([number, index]) + bytes(98) for index in range(2)]

    def report(self, data):
        self.heard.append(data[0])


@dataclass
class FakeDecoder:
    """Shows the source; closes like `Decoder`."""

    next_frame: int = 0
    here: set = field(default_factory=set)

    def push(self, packets):
        shown = []
        for number, index in ((p[0], p[1]) for p in packets):
            while self.next_frame < number:
                shown += self.close(self.next_frame)
            if number == self.next_frame:
                self.here.add(index)
                if len(self.here) == 2:
                    shown += self.close(number)
        return shown

    def close(self, until):
        shown = [CLIP.frames[n] for n in range(self.next_frame, until + 1)]
        self.next_frame, self.here = until + 1, set()
        return shown

    def report(self):
        return bytes([self.next_frame - 1]) + bytes(19)


def run(condition, loss="0", seed=0):
    encoder = FakeEncoder()
    return encoder, run_ours(CLIP, encoder, FakeDecoder(), condition, parse_channel(loss), seed)


def test_reports_are_heard_a_round_trip_later():
    encoder, ours = run(Condition(200, rtt_ms=100))
    # At 25 frames a second 100 ms are 2.5 frames.
    assert encoder.known == [-1, -1, -1, *range(9)]
    assert ours.delays == pytest.approx([0.05] * 12)
    assert ours.missing == (0,) * 12


@pytest.mark.parametrize("frames", [1, 2, 4, 7])
def test_reports_after_so_many_frames_are_there_for_the_right_one(frames):
    encoder, _ = run(Condition(200, report_frames=frames))
    assert encoder.known == [-1] * frames + list(range(12 - frames))


def test_all_bytes_are_counted_both_ways():
    _, ours = run(Condition(200, rtt_ms=100))
    assert ours.traffic.media == 24 * 100
    assert ours.traffic.forward == 24 * (100 + HEADER_BYTES)
    assert ours.traffic.replies == 12
    assert ours.traffic.backward == 12 * (20 + IP_UDP_BYTES)


def test_when_all_is_lost_every_frame_is_shown_at_its_deadline():
    encoder, ours = run(Condition(200, rtt_ms=100), "1")
    assert ours.delays == pytest.approx([0.2] * 12)
    assert ours.missing == (2,) * 12
    assert encoder.heard == []
    assert ours.reports == 0


@pytest.mark.parametrize("loss", ["0.3", "ge:0.3:3"])
def test_pictures_are_never_late_and_reports_are_lost_too(loss):
    for seed in range(5):
        encoder, ours = run(Condition(120, rtt_ms=100), loss, seed)
        assert len(ours.pictures) == 12
        assert max(ours.delays) <= 0.12 + 1e-6
        assert min(ours.delays) >= 0.05 - 1e-6
        assert ours.traffic.lost == sum(ours.missing)
        assert len(encoder.heard) <= ours.traffic.replies
    first, again = run(Condition(120, rtt_ms=100), loss)[1], run(Condition(120, rtt_ms=100), loss)[1]
    assert first.delays == again.delays
    assert first.traffic == again.traffic


def test_a_damaged_frame_is_shown_after_a_short_wait():
    _, ours = run(Condition(200, rtt_ms=100), "0.3", 3)
    partly = [d for d, gone in zip(ours.delays, ours.missing) if gone == 1]
    assert partly
    assert partly == pytest.approx([0.05 + PATIENCE] * len(partly))


def test_our_codec_follows_its_receiver():
    scheme, condition = T4VSession(), Condition(200, rtt_ms=100)
    encoder, decoder = scheme.encoder(CLIP, 150), scheme.decoder(CLIP)
    ours = run_ours(CLIP, encoder, decoder, condition, parse_channel("0.3"), 1)
    assert sum(ours.missing) > 0
    assert ours.reports > 0
    clean_encoder, clean_decoder = scheme.encoder(CLIP, 150), scheme.decoder(CLIP)
    clean = run_ours(CLIP, clean_encoder, clean_decoder, condition, parse_channel("0"), 0)
    assert clean.traffic.lost == 0
    last = clean_encoder.reconstruction.to_frame(CLIP.height, CLIP.width, 0.0, clean.pictures[-1].colour)
    assert np.array_equal(last.y, clean.pictures[-1].y)


def test_a_record_says_what_happened_and_is_kept(tmp_path):
    target, play = Target(150.0, None), Play(parse_channel("0.3"), 0)
    condition = Condition(200, rtt_ms=100)
    arguments = (CLIP, T4VSession(), target, condition, play)
    record, fresh = our_record(*arguments, Cache(tmp_path), lambda total: None)
    assert fresh
    assert record.regime == "sessions"
    assert (record.config["rtt"], record.config["deadline"]) == (100, 200)
    assert record.config["transport"] == "reports"
    assert record.kbps_sent == pytest.approx(record.total_bytes * 8 / 1000 / CLIP.seconds, abs=1e-3)
    assert 0 < record.bytes_back < record.total_bytes
    assert 0 < record.frames_late <= record.frames
    assert 50 <= record.delay_ms.median <= record.delay_ms.p95 <= 200
    again, fresh = our_record(*arguments, Cache(tmp_path), lambda total: None)
    assert not fresh
    assert again == record
    other = measure_ours(*arguments, lambda total: None)
    assert (other.ssim_db, other.total_bytes) == (record.ssim_db, record.total_bytes)
