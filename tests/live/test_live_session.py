"""Live sessions in virtual time: who starts when, what is lost, who disturbs, what clocks do."""

import random
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.codec import Setup
from t4vcodec.codec.reports import Report
from t4vcodec.live.receiver import EARLY, WAITING, Receiver
from t4vcodec.live.sender import HANDED, REFRESH, Sender
from t4vcodec.live.session import Bye, Description, Hello, ReportMessage
from t4vcodec.media import Colour
from t4vcodec.network.live.rtp import ControlPacket, RtpPacket
from virtual_session import FPS, STEP, WIDTH, World

FOREIGN = ("198.51.100.7", 666)


def begun(**network) -> World:
    """A session that has run for a second."""
    world = World(**network)
    world.start_receiver()
    world.start_sender()
    world.run(1.0)
    return world


class TestWay:
    def test_every_picture_is_shown_once_in_order_and_soon(self):
        world = begun()
        world.run(1.0)
        numbers = [number for _, number, _ in world.shown]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[0] <= 2
        assert len(world.good_since(0.0)) == len(world.shown)
        assert all(now - number / FPS < 0.1 for now, number, _ in world.shown)
        steps = [b - a for a, b in pairwise(world.times)]
        assert steps == pytest.approx([1 / FPS] * len(steps), abs=1e-4)

    def test_delay_loss_and_round_trip_are_known_on_both_sides(self):
        world = begun(loss=0.1, back_loss=0.1, seed=3)
        world.run(5.0)
        sent, received = world.sender.facts, world.receiver.facts
        assert sent.rtt == pytest.approx(0.1, abs=0.02)
        assert received.rtt == pytest.approx(0.1, abs=0.02)
        assert received.delay == pytest.approx(world.delays[-1], abs=0.03)
        assert 0.03 < sent.lost / sent.told < 0.2
        assert sent.lost / sent.told == pytest.approx(1 - received.losses.received / sent.packets, abs=0.05)
        assert sent.sessions == 1

    def test_every_frame_has_a_picture_whatever_is_lost(self):
        world = begun(loss=0.4, back_loss=0.4, seed=5)
        world.run(2.0)
        assert len(world.shown) > 0.85 * 2 * FPS
        assert len(world.good_since(1.0, error=25)) > 0.6 * len(world.shown)

    def test_a_feedback_path_that_loses_everything(self):
        world = World(back_loss=1.0, loss=0.05)
        world.start_receiver()
        world.start_sender()
        world.run(2.0)
        assert not world.sender.heard(world.now)
        assert len(world.good_since(1.0)) > 0.8 * FPS
        assert world.sender.facts.told == 0

    def test_nothing_gets_through_for_three_seconds(self):
        world = begun()
        world.loss = world.back_loss = 1.0
        world.run(3.0)
        world.loss = world.back_loss = 0.0
        back = world.now
        world.run(1.0)
        assert world.good_since(back)
        assert world.good_since(back)[0][0] - back < 1.0
        assert len(world.good_since(back + 0.7)) >= 2

    def test_the_end_is_said(self):
        world = begun()
        bye = world.sender.bye()
        world.sender = None
        world.carry(True, bye, world._address)
        world.run(0.3)
        assert world.receiver.over(world.now)


class TestStarting:
    @pytest.mark.parametrize("first", ["sender", "receiver"])
    def test_either_may_be_there_first(self, first):
        world = World()
        starts = [world.start_sender, world.start_receiver]
        for start in starts if first == "sender" else reversed(starts):
            start()
            world.run(1.0)
        assert world.good_since(1.0)

    @pytest.mark.parametrize(("loss", "seed", "limit"), [(0.0, 0, 1.0), (0.1, 1, 1.0), (0.3, 3, 2.0)])
    def test_a_receiver_that_was_killed_has_pictures_within_a_second(self, loss, seed, limit):
        world = begun(loss=loss, back_loss=loss, seed=seed)
        world.receiver = None
        world.run(0.9)
        world.start_receiver()
        again = world.now
        world.run(limit)
        assert world.good_since(again, error=15)

    @pytest.mark.parametrize(
        ("loss", "seed", "pause"), [(0.0, 0, 0.0), (0.0, 0, 1.5), (0.1, 1, 1.5), (0.3, 3, 1.5)]
    )
    def test_a_sender_that_was_killed_has_pictures_within_a_second(self, loss, seed, pause):
        world = begun(loss=loss, back_loss=loss, seed=seed)
        world.sender = None
        world.run(pause)
        world.start_sender()
        again = world.now
        world.run(1.0 if loss < 0.3 else 2.0)
        assert [shown for shown in world.good_since(again + 0.1, error=15) if shown[1] >= again * FPS]
        assert world.times == sorted(world.times)

    def test_both_killed_at_once(self):
        world = begun()
        world.start_sender()
        world.start_receiver()
        again = world.now
        world.run(1.0)
        assert len(world.good_since(again)) > FPS / 3

    def test_without_a_way_back_a_late_receiver_enters_at_the_next_fresh_session(self):
        world = World(back_loss=1.0)
        world.start_sender()
        world.run(2.0)
        world.start_receiver()
        world.run(REFRESH - 2.2)
        assert not world.shown
        world.run(0.6)
        assert world.good_since(0.0)

    def test_a_sender_of_another_size_is_named(self):
        world = begun()
        world.start_sender(width=64)
        world.run(1.0)
        assert "64x32 instead of 32x32" in world.receiver.problem
        world.start_sender()
        world.run(1.5)
        assert world.receiver.problem is None
        assert world.good_since(world.now - 0.5)

    def test_a_model_that_is_not_here_is_named(self):
        world = World()
        world.start_receiver()
        description = described(model="somebodys-own")
        world.receiver.receive(bytes(description.packet()), FOREIGN, 0.0)
        assert "somebodys-own" in world.receiver.problem
        assert "--model" in world.receiver.problem
        assert world.receiver.description is None


def described(ssrc=77, token=99, model="t4v-classic", width=320, generation=1) -> Description:
    setup = Setup(width, 240, Fraction(25), model)
    return Description(ssrc, token, generation, 0, 0, None, setup, 100, Colour())


class TestStrangers:
    def test_foreign_packets_change_nothing(self):
        quiet, noisy = begun(), begun()
        noise = random.Random(8)
        for _ in range(100):
            for world in (quiet, noisy):
                world.run(2 * STEP)
            receiver, sender, now = noisy.receiver, noisy.sender, noisy.now
            junk = noise.randbytes(noise.randrange(1500))
            ssrc = noise.choice((1, receiver.description.ssrc))
            for data in (
                junk,
                b"",
                bytes(RtpPacket(noise.randrange(65536), 1, ssrc, True, junk[:100] or b"x")),
                bytes(ControlPacket(noise.randrange(32), ssrc, junk[:60])),
                bytes(described().packet()),
                bytes(Bye(receiver.description.ssrc, 5).packet()),
            ):
                receiver.receive(data, FOREIGN, now)
                sender.receive(data, FOREIGN, now)
        assert noisy.shown == quiet.shown
        assert noisy.receiver.facts.sessions == noisy.sender.facts.sessions == 1
        assert noisy.receiver.facts.foreign > 200
        assert noisy.sender.facts.foreign > 500

    def test_a_stranger_who_was_first_does_not_keep_the_sender_out(self):
        world = World()
        world.start_receiver()
        world.receiver.receive(bytes(described().packet()), FOREIGN, 0.0)
        world.run(0.8)
        world.start_sender()
        world.run(1.0)
        assert world.good_since(0.8)
        assert world.receiver.description.setup.width == WIDTH

    def test_reports_from_elsewhere_are_not_believed(self):
        world = begun()
        sender = world.sender
        before = sender.facts.told
        ssrc = world.receiver.description.ssrc
        lies = Report(20, 1, ((False, False),) * 16, sender.setup.salt)
        for data in (
            bytes(ReportMessage(5, ssrc, 0, 0, 60_000, bytes(lies)).packet()),
            bytes(Hello(5, token=4321).packet()),
            bytes(Hello(5, token=4321, refused=ssrc).packet()),
        ):
            sender.receive(data, FOREIGN, world.now)
        assert sender.facts.foreign == 3
        assert sender.facts.told == before
        assert sender.facts.lag < 1
        world.run(1.0)
        assert sender.facts.sessions == 1
        assert sender.facts.lost == 0

    def test_a_foreign_hello_can_ask_for_the_description_but_not_flood(self):
        world = begun()
        before = len(world.to_receiver)
        for _ in range(20):
            for _ in range(10):
                world.sender.receive(bytes(Hello(5).packet()), FOREIGN, world.now)
            world.run(STEP)
        asked = [data for _, data in world.to_receiver[before:] if data[1] == 204]
        assert len(asked) <= 4

    @settings(max_examples=50)
    @given(st.lists(st.binary(max_size=200), max_size=10))
    def test_any_bytes_are_survived(self, datagrams):
        sender = Sender(Setup(16, 16), kbps=50, draw=random.Random(1))
        receiver = Receiver(draw=random.Random(1))
        for i, data in enumerate(datagrams):
            sender.receive(data, FOREIGN, float(i))
            receiver.receive(data, FOREIGN, float(i))
            receiver.outgoing(float(i))
            sender.control(float(i))

    def test_early_packets_and_pictures_that_wait_are_bounded(self):
        receiver = Receiver()
        for i in range(3 * EARLY):
            receiver.receive(bytes(RtpPacket(i, 0, i + 1, False, b"x" * 100)), FOREIGN, 0.0)
        assert len(receiver._early) == EARLY
        assert len(receiver.outgoing(0.0)) == 1


class TestClocks:
    @pytest.mark.parametrize(
        ("whose", "jump"),
        [
            ("sender", -3600.0),
            ("sender", -0.7),
            ("sender", 50_000.0),
            ("receiver", 3600.0),
        ],
    )
    def test_a_clock_that_jumps_does_not_stop_the_pictures(self, jump, whose):
        world = begun()
        setattr(world, f"{whose}_clock", lambda now: now + jump)
        jumped = world.now
        world.run(2.0)
        assert len(world.good_since(jumped + 1.0)) > 0.9 * FPS
        assert world.times == sorted(world.times)
        assert world.times[-1] - world.times[0] < 8
        assert world.sender.facts.rtt == pytest.approx(0.1, abs=0.05)

    def test_clocks_that_run_at_different_speeds(self):
        world = World()
        world.sender_clock = lambda now: 5000 + now * 1.002
        world.start_receiver()
        world.start_sender()
        world.run(5.0)
        late = [now - number / FPS for now, number, _ in world.shown]
        assert max(late) - min(late) < 0.05
        assert world.receiver.facts.delay == pytest.approx(late[-1], abs=0.08)


def test_state_does_not_grow():
    world = begun(loss=0.2, back_loss=0.2, seed=4)
    world.run(3.0)
    sender, receiver = world.sender, world.receiver
    assert len(sender._counts) <= HANDED
    assert len(receiver._waiting) <= WAITING
    assert len(receiver.buffer) <= 3
    assert len(receiver._early) == 0


def test_losses_for_demonstration_hit_media_only():
    world = World()
    world.start_receiver(survives=lambda time: False)
    world.start_sender()
    world.run(1.0)
    assert world.receiver.facts.dropped > FPS
    assert world.receiver.facts.sessions == 1
    assert not world.shown
