"""Transports under a clip: what comes whole and when, key frames on request, bytes at the target."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.baselines import standard
from t4vcodec.baselines.settings import BaselineError, CodecSettings
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.session_opponents import VARIANTS, KeyedEncoder, Variant, carry
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.eval.session_search import SessionOpponents, SlotReceiver, search_step
from t4vcodec.network.channels import Channel, parse_channel
from toy_scheme import moving_clip

CLIP = moving_clip(frames=16)
MEDIUM = CodecSettings("x264", "medium", "ssim")
NEAR, FAR = Condition(200, rtt_ms=50), Condition(200, rtt_ms=240)


def media(number, key):
    return (bytes(500), bytes(400)), number == 0 or key


def sent(variant, condition=NEAR, loss="0", seed=0):
    return carry(CLIP, media, variant, condition, parse_channel(loss), seed)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_without_loss_everything_is_whole_after_half_a_round_trip(variant):
    carried = sent(variant)
    assert [c.whole for c in carried.closed] == [True] * 16
    assert [c.time for c in carried.closed] == pytest.approx([n / 25 + 0.025 for n in range(16)])
    assert carried.traffic.media == 16 * 900
    if variant.redundancy is None:
        assert carried.traffic.sent == 32
        assert carried.traffic.forward == 16 * (900 + 2 * 40)
    else:
        assert carried.traffic.sent > 32
    assert carried.keys == 1


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_run_depends_on_its_arguments_alone(variant):
    assert sent(variant, loss="0.2", seed=4) == sent(variant, loss="0.2", seed=4)
    assert sent(variant, loss="0.2", seed=4) != sent(variant, loss="0.2", seed=5)


def whole(variant, condition, loss="0.2", seeds=6):
    return sum(c.whole for seed in range(seeds) for c in sent(variant, condition, loss, seed).closed)


@pytest.mark.parametrize("transport", ["nack", "nack-fec", "hairpin", "fec-adaptive"])
def test_recovery_brings_more_frames_than_none(transport):
    assert whole(Variant(transport), NEAR) > whole(Variant("udp"), NEAR)


def test_more_parity_brings_more_frames():
    counts = [whole(Variant("fec", redundancy=r), FAR, "0.3") for r in (0.5, 1.0, 2.0)]
    assert counts == sorted(set(counts))


def test_nothing_can_be_sent_again_where_the_round_trip_exceeds_the_deadline():
    assert whole(Variant("nack"), FAR) == whole(Variant("udp"), FAR)
    # Then nobody waits for copies either.
    closed = sent(Variant("nack"), FAR, "0.2", 1).closed
    waits = [c.time - n / 25 for n, c in enumerate(closed) if c.indices and not c.whole]
    assert max(waits) < 0.2


def test_catching_up_makes_late_frames_whole():
    assert whole(Variant("nack", catch_up=True), FAR) > whole(Variant("nack"), FAR)


def test_frames_given_up_are_over_at_their_deadline():
    for seed in range(4):
        for number, closed in enumerate(sent(Variant("nack"), NEAR, "0.5", seed).closed):
            assert closed.time <= number / 25 + 0.2 + 1e-6


@dataclass
class Losing:
    positions: tuple[int, ...]
    count: int = -1

    def lost(self, send_time):
        self.count += 1
        return self.count in self.positions


@dataclass(frozen=True)
class Scripted(Channel):
    """Loses the packets of a clip that a list names; requests and reports all arrive."""

    positions: tuple[int, ...] = ()

    def session(self, clip, seed):
        return Losing(self.positions if clip == CLIP.name else ())


@pytest.mark.parametrize(("rtt", "first"), [(50, 5), (100, 6), (240, 10)])
def test_damage_is_answered_by_a_key_frame_a_round_trip_later(rtt, first):
    asked = []

    def noting(number, key):
        asked.append(key)
        return media(number, key)

    channel = Scripted("scripted", 0.0, positions=(7,))  # the second packet of frame 3, captured at 120 ms
    carried = carry(CLIP, noting, Variant("udp", keys=True), Condition(200, rtt_ms=rtt), channel, 0)
    assert [c.whole for c in carried.closed] == [n != 3 for n in range(16)]
    # Known 5 ms after the rest of the frame came, told half a round trip later, and not told twice.
    assert [n for n, wanted in enumerate(asked) if wanted] == [first]
    assert carried.keys == 2


def test_requests_cost_bytes_on_the_way_back():
    for seed in range(10):
        plain, asking = (sent(Variant("udp", keys=keys), NEAR, "0.2", seed).traffic for keys in (False, True))
        assert asking.backward >= plain.backward
        assert (asking.backward - plain.backward) == 40 * (asking.replies - plain.replies)
    assert asking.backward > plain.backward


def test_a_key_frame_on_request_starts_anew():
    encoder = KeyedEncoder(CLIP, MEDIUM, 24)
    keys = [encoder.frame(number, number == 5)[1] for number in range(10)]
    assert keys == [number in (0, 5) for number in range(10)]
    coded = encoder.coded()
    receiver = standard.receiver(coded, CLIP.width, CLIP.height, CLIP.fps, CLIP.frames[0].colour)
    shown = [receiver.receive(coded.frames[n] if n >= 5 else (), n) for n in range(10)]
    error = np.abs(shown[7].y.astype(int) - CLIP.frames[7].y).mean()
    assert error < 6


def test_without_requests_the_live_encoder_sends_what_the_usual_one_does():
    encoder = KeyedEncoder(CLIP, MEDIUM, 28)
    for number in range(16):
        encoder.frame(number, False)
    live, usual = encoder.coded(), standard.encode(CLIP.frames, CLIP.fps, MEDIUM, 28, 1193)
    assert live.frames == usual.frames


def test_other_codecs_make_no_keys_on_request():
    with pytest.raises(BaselineError, match="x264"):
        KeyedEncoder(CLIP, CodecSettings("x265", "medium"), 28)


class Counting:
    """A receiver that shows how many frames it decoded."""

    def receive(self, packets, frame):
        return frame, tuple(packets)


def test_slots_decode_in_order_and_show_the_newest():
    receiver = SlotReceiver(Counting(), [[b"a"], [b"b"], [b"c"]], (-1, 0, 2), CLIP)
    assert receiver.receive((), 0).y.mean() == 128
    assert receiver.receive((), 1) == (0, (b"a",))
    assert receiver.receive((), 2) == (2, (b"c",))


@given(st.integers(2000, 10**6), st.integers(0, 500), st.floats(0.9, 1.1))
def test_search_comes_near_any_target_in_reach(target, guess, wobble):
    def total(step):
        return round(3e6 * wobble * 2 ** (-step / 60) * (1 + 0.002 * (step % 3))) + 500

    step = search_step(total, target, guess, 500, 1 / 60)
    assert 0 <= step <= 500
    within = total(500) <= target <= total(0)
    assert not within or abs(total(step) / target - 1) <= 0.02


def test_records_meet_the_bytes_and_are_kept(tmp_path):
    def measure(loss, total):
        opponents = SessionOpponents(
            CLIP,
            [MEDIUM],
            (Variant("nack"), Variant("udp", keys=True), Variant("hairpin", catch_up=True)),
            Cache(tmp_path),
            lambda total: None,
        )
        return opponents.records(Target(100.0, None), NEAR, Play(parse_channel(loss), 0), total)

    found = measure("0.1", 12000)
    assert {r.scheme for r, _ in found} >= {"x264 medium nack", "x264 medium hairpin catch-up"}
    for record, fresh in found:
        assert fresh
        assert record.total_bytes == pytest.approx(12000, rel=0.05)
        assert record.regime == "sessions"
        assert record.config["rtt"] == 50
        assert record.delay_ms.p95 <= 200
        assert record.protection == record.config["transport"]
        assert record.bytes_back > 0
    again = measure("0.1", 12000)
    assert [r for r, _ in again] == [r for r, _ in found]
    assert not any(fresh for _, fresh in again)
    assert measure("0.1", 50) == []
