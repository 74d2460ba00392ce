"""A stream over transports in virtual time: what is in hand at the deadline, and what it costs."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.eval.clips import make_clip
from t4vcodec.eval.session_opponents import Variant
from t4vcodec.eval.session_protocol import Condition
from t4vcodec.importance.delivery import deliver, losses
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import parse_channel

FRAMES, EACH = 50, 3


@dataclass
class Stream:
    """Packets of known sizes; nothing is decoded."""

    fps: float = 25.0
    frames: int = FRAMES

    def __post_init__(self):
        self.frame_of = np.repeat(np.arange(FRAMES), EACH)
        self.sizes = np.full(FRAMES * EACH, 200)


@pytest.fixture(scope="module")
def clip():
    grey = Frame(np.zeros((16, 16), np.uint8), *(np.zeros((8, 8), np.uint8) for _ in range(2)), time=0.0)
    return make_clip("stub", "stub", Fraction(25), (grey,) * FRAMES)


NEAR = Condition(200, 50)
LOSSY = parse_channel("0.3")


def test_without_loss_everything_is_in_hand_after_half_a_round_trip(clip):
    got = deliver(Stream(), clip, Variant("udp"), NEAR, parse_channel("0"), 0)
    assert got.arrived.all()
    assert got.late == 0
    assert np.allclose(got.delays, 0.025)
    assert got.bytes_sent == Stream().sizes.sum()


def test_what_is_lost_first_does_not_depend_on_what_is_sent_again(clip):
    bare = losses(Stream(), clip, NEAR, LOSSY, 0)
    whole = deliver(Stream(), clip, Variant("nack"), NEAR, LOSSY, 0)
    worth = np.zeros(FRAMES * EACH)
    worth[::2] = 1.0
    half = deliver(Stream(), clip, Variant("nack"), NEAR, LOSSY, 0, worth, 1e-6)
    assert 0.15 < 1 - bare.mean() < 0.45
    assert not (bare & ~whole.arrived).any()
    # Odd packets are worth nothing: they are there exactly where they were not lost.
    assert np.array_equal(half.arrived[1::2], bare[1::2])
    assert half.arrived[::2].mean() > bare[::2].mean() + 0.1


def test_sending_again_takes_bytes_and_brings_packets(clip):
    bare = deliver(Stream(), clip, Variant("nack"), NEAR, LOSSY, 0, threshold=1e18)
    whole = deliver(Stream(), clip, Variant("nack"), NEAR, LOSSY, 0)
    assert bare.bytes_sent == Stream().sizes.sum()
    assert whole.bytes_sent > 1.2 * bare.bytes_sent
    assert whole.arrived.mean() > 0.95
    assert whole.late < bare.late


def test_a_deadline_below_a_round_trip_and_a_half_leaves_no_time_to_send_again(clip):
    soon = Condition(60, 50)
    assert np.array_equal(
        deliver(Stream(), clip, Variant("nack"), soon, LOSSY, 0).arrived,
        losses(Stream(), clip, soon, LOSSY, 0),
    )


def test_a_way_that_carries_nothing_delivers_nothing(clip):
    got = deliver(Stream(), clip, Variant("nack"), Condition(200, 50, kbps=0.01), LOSSY, 0)
    assert not got.arrived.any()
    assert got.late == FRAMES


@pytest.mark.parametrize("name", ["tcp-cubic", "fec-adaptive", "hairpin", "nack-fec"])
def test_every_transport_carries_it(clip, name):
    got = deliver(Stream(), clip, Variant(name), NEAR, parse_channel("0.02"), 0)
    assert got.arrived.mean() > 0.97
    assert got.delays.max() <= 0.2 + 1e-6
