"""Transports over datagrams: what arrives, what is sent again and what never, and that nothing foreign harms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.network.capacity import Constant, Steps
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import IP_UDP_BYTES, Route
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD
from t4vcodec.network.transports import (
    NAMES,
    MediaFrame,
    TransportError,
    hairpin,
    hairpin_plan,
    make_transport,
)
from t4vcodec.network.transports.base import MediaPacket
from t4vcodec.network.transports.fec_adaptive import ReportedLoss, table
from t4vcodec.network.transports.fec_static import MAX_PROTECTED
from t4vcodec.network.transports.nack import Resender
from t4vcodec.network.transports.wire import MEDIA, PARITY, kind_of, read_piece, read_place

DATAGRAMS = [name for name in NAMES if not name.startswith("tcp")]
RECOVERING = [name for name in DATAGRAMS if name != "udp"]


def clip(frames, packets=4, size=500, deadline=0.4, fps=25.0, keys=()):
    random = np.random.default_rng(frames * 1000 + packets)
    return [
        (
            i / fps,
            MediaFrame(
                i,
                tuple(random.bytes(int(random.integers(size // 2, size + 1))) for _ in range(packets)),
                i / fps + deadline,
                i in keys,
            ),
        )
        for i in range(frames)
    ]


def pair(name, loss="0", back=None, delay=0.05, capacity=None, seed=0, **settings):
    there = Route(capacity or Constant(5000), delay, channel=parse_channel(loss))
    way_back = Route(delay=delay, channel=parse_channel(loss if back is None else back))
    return Pair(*make_transport(name, **settings), there, way_back, clip="transports", seed=seed)


def whole(delivered, frames, late=math.inf):
    """Share of frames all of whose packets came within `late` of their capture."""
    times = {}
    for packet in delivered:
        times.setdefault(packet.frame, []).append(packet.time)
    good = sum(
        len(times.get(f.number, ())) == len(f.packets) and max(times[f.number]) <= at + late
        for at, f in frames
    )
    return good / len(frames)


def sent_datagrams(run):
    """Records (time, datagram) of all that the sender hands to the link."""
    log, send = [], run.forward.send
    run.forward.send = lambda datagram, now: (log.append((now, datagram)), send(datagram, now))
    return log


@pytest.mark.parametrize("name", NAMES)
def test_without_losses_everything_comes_once_bit_for_bit(name):
    run, frames = pair(name), clip(30, keys=(0, 20))
    run.run(frames, until=5)
    sent = {(f.number, i): (data, f.key) for _, f in frames for i, data in enumerate(f.packets)}
    got = run.delivered()
    assert {(p.frame, p.index): (p.data, p.key) for p in got} == sent
    assert len(got) == len(sent)
    assert run.next_wakeup() == math.inf


@pytest.mark.parametrize("name", DATAGRAMS)
@given(st.sampled_from(["5%", "30%", "ge:0.3:5", "get:0.3:60", "1"]), st.integers(0, 1000))
@settings(max_examples=8)
def test_what_comes_under_losses_is_true_and_comes_once(name, loss, seed):
    run, frames = pair(name, loss, seed=seed), clip(25, keys=(0,))
    run.run(frames, until=5)
    sent = {(f.number, i): (data, f.key) for _, f in frames for i, data in enumerate(f.packets)}
    got = run.delivered()
    assert len({(p.frame, p.index) for p in got}) == len(got)
    assert all(sent[p.frame, p.index] == (p.data, p.key) for p in got)
    counts = run.forward.counts
    assert counts.sent == counts.delivered + counts.lost + counts.dropped
    assert (run.sender.foreign, run.receiver.foreign) == (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_a_function_of_its_inputs(name):
    def once():
        run = pair(name, "20%", seed=3)
        run.run(clip(40), until=20)
        return run.delivered(), run.forward.counts, run.backward.counts

    assert once() == once()


@pytest.mark.parametrize("name", RECOVERING)
def test_recovery_recovers(name):
    frames = clip(250)
    plain, helped = pair("udp", "10%"), pair(name, "10%")
    for run in (plain, helped):
        run.run(frames, until=20)
    assert whole(plain.delivered(), frames, 0.4) < 0.75
    assert whole(helped.delivered(), frames, 0.4) > 0.93


@pytest.mark.parametrize("name", NAMES)
def test_a_feedback_path_that_loses_everything_harms_no_way_there(name):
    run, frames = pair(name, "0", back="1"), clip(100)
    run.run(frames, until=20)
    share = whole(run.delivered(), frames)
    assert share == 1 if not name.startswith("tcp") else share < 1
    assert run.backward.counts.delivered == 0


@pytest.mark.parametrize("name", NAMES)
def test_zero_capacity_for_seconds_is_survived(name):
    frames = clip(250)
    run = pair(name, "2%", capacity=Steps((0, 3, 6), (3000, 0, 3000)))
    run.run(frames, until=60)
    got = run.delivered()
    late = [f for f in frames if f[0] > 8]
    assert whole([p for p in got if p.frame >= late[0][1].number], late) > 0.9 - 0.1 * (name == "udp")
    counts = run.forward.counts
    assert counts.sent == counts.delivered + counts.lost + counts.dropped + run.forward.pending


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=60), kind=st.integers(0, 7), jump=st.floats(-1e6, 100))
@settings(max_examples=30)
def test_foreign_datagrams_and_jumping_clocks_do_no_harm(name, data, kind, jump):
    """Who forges a packet to the last bit is beyond what a header can tell: such data may only not raise."""
    sender, receiver = make_transport(name)
    frames = clip(6)
    now = 100.0
    for _, frame in frames:
        sender.send(frame, now)
        for datagram in sender.poll(now):
            receiver.handle(datagram, now + 0.01)
        for end in (sender, receiver):
            end.handle(bytes([kind]) + data, now + min(0, jump))
            end.handle(data, now)
            assert not end.next_wakeup() < 100
        for datagram in receiver.poll(now + 0.02):
            sender.handle(datagram, now + 0.03)
            sender.handle(datagram, now + 0.03)
        now += 0.04
    got = {(p.frame, p.index): p.data for p in receiver.take()}
    ours = {(f.number, i): d for _, f in frames for i, d in enumerate(f.packets)}
    if 1 <= receiver.foreign == 2 * len(frames):
        assert ours.items() <= got.items()


@pytest.mark.parametrize("name", DATAGRAMS)
def test_a_receiver_that_joins_late_or_starts_anew_delivers_at_once(name):
    run, frames = pair(name), clip(2550, size=40)
    for _ in range(10_000):
        run.sender._number()
        run.sender.log.note(0.0, 100)
    sender, receiver = run.sender, run.receiver
    for i, (_, frame) in enumerate(frames[2500:]):
        now = 10 + i / 25
        sender.send(MediaFrame(frame.number, frame.packets, now + 0.4), now)
        for datagram in sender.poll(now):
            receiver.handle(datagram, now + 0.05)
        for datagram in receiver.poll(now + 0.06):
            sender.handle(datagram, now + 0.1)
    assert [p[:4] for p in receiver.take()] == [
        (f.number, j, 4, data) for _, f in frames[2500:] for j, data in enumerate(f.packets)
    ]
    assert getattr(receiver, "requests", 0) == 0
    assert sender.log.loss == 0


def test_a_media_packet_costs_payload_and_forty_bytes():
    run = pair("nack")
    run.run([(0.0, MediaFrame(0, (bytes(777),)))], until=1)
    assert run.forward.counts.bytes_sent == 777 + HEADER_BYTES


@pytest.mark.parametrize("name", DATAGRAMS)
def test_no_datagram_exceeds_the_common_limit(name):
    run = pair(name, "20%", redundancy=1.0) if name == "fec" else pair(name, "20%")
    log = sent_datagrams(run)
    run.run(clip(40, size=MAX_PROTECTED, keys=(0,)), until=5)
    assert max(len(d) for _, d in log) + IP_UDP_BYTES <= MAX_PAYLOAD + HEADER_BYTES


@pytest.mark.parametrize("name", ["fec", "fec-adaptive", "nack-fec", "hairpin"])
def test_payloads_that_leave_parity_no_room_are_refused(name):
    sender, _ = make_transport(name)
    sender.send(MediaFrame(0, (bytes(MAX_PROTECTED),)), 0.0)
    with pytest.raises(TransportError, match="cut packets"):
        sender.send(MediaFrame(1, (bytes(MAX_PROTECTED + 1),)), 0.0)


class Lose:
    """A session that loses the packets with these numbers."""

    def __init__(self, numbers):
        self.numbers, self.at = numbers, -1

    def lost(self, send_time):
        self.at += 1
        return self.at in self.numbers


class TestFec:
    def test_any_k_of_n_packets_bring_the_frame_at_once(self):
        frame = clip(1, packets=5)[0][1]
        for first_lost in range(5):
            sender, receiver = make_transport("fec", redundancy=0.4)
            sender.send(frame, 0.0)
            datagrams = sender.poll(0.0)
            assert [kind_of(d) for d in datagrams] == [MEDIA] * 5 + [PARITY] * 2
            for i, datagram in enumerate(datagrams):
                if i not in (first_lost, (first_lost + 2) % 5):
                    receiver.handle(datagram, 0.01 * i)
            got = sorted(receiver.take())
            assert tuple(p.data for p in got) == frame.packets
            assert max(p.time for p in got) == 0.06

    def test_a_block_is_rescued_from_parity_alone(self):
        """No media at all arrives: numbers, places and lengths come from parity."""
        sender, receiver = make_transport("fec", redundancy=1.0, block=3)
        frames = [MediaFrame(60_000 + i, (bytes([i]) * (10 + i),)) for i in range(3)]
        sender._numbered = 60_000
        for frame in frames:
            sender.send(frame, 0.0)
        parity = [d for d in sender.poll(0.0) if kind_of(d) == PARITY]
        # A receiver near those numbers, as it is in the middle of a session.
        receiver._newest = receiver._newest_frame = 59_999
        for datagram in parity:
            receiver.handle(datagram, 1.0)
        assert [(p.frame, p.data) for p in receiver.take()] == [(f.number, f.packets[0]) for f in frames]

    def test_key_frames_get_twice_the_parity(self):
        sender, _ = make_transport("fec", redundancy=0.5)
        for frame in (MediaFrame(0, (b"x",) * 4), MediaFrame(1, (b"x",) * 4, key=True)):
            sender.send(frame, 0.0)
        numbers = [read_piece(d)[1] for d in sender.poll(0.0)]
        assert [sum(p.parity and p.frame == f for p in numbers) for f in (0, 1)] == [2, 4]

    @pytest.mark.parametrize(
        "wrong", [{"block": 0}, {"block": 33}, {"redundancy": -1}, {"redundancy": math.nan}]
    )
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(TransportError):
            make_transport("fec", **wrong)

    def test_large_frames_are_dealt_to_several_codes(self):
        run, frames = pair("fec", "10%", capacity=Constant(200_000)), clip(3, packets=600, size=60)
        run.forward.queue_bytes = 10**7
        run.run(frames, until=5)
        assert whole(run.delivered(), frames) == 1


class TestAdaptiveFec:
    def test_the_table_grows_with_loss_and_stops_at_as_many_as_media(self):
        for media in (1, 2, 4, 10, 50):
            row = [table(percent, media) for percent in range(100)]
            assert row == sorted(row)
            assert row[0] == 0
            assert row[-1] == media
        assert table(10, 4) / 4 > table(10, 50) / 50  # small frames need relatively more

    def test_the_table_keeps_its_promise(self):
        random = np.random.default_rng(0)
        for percent, media in [(5, 3), (10, 10), (20, 20)]:
            packets = media + table(percent, media)
            lost = (random.random((20_000, packets)) < percent / 100).sum(axis=1)
            assert (lost > packets - media).mean() < 0.055

    def test_no_parity_without_losses_and_more_after_them(self):
        run = pair("fec-adaptive", "0")
        run.run(clip(50), until=3)
        assert run.sender.parity_for(10, False, 3.0) == 0
        run = pair("fec-adaptive", "20%", back="0")
        run.run(clip(250), until=12)
        few, many = (run.sender.parity_for(10, key, 12.0) for key in (False, True))
        assert 3 <= few <= 7
        assert many == min(10, max(2 * few, 1))

    def test_key_frames_get_at_least_double(self):
        sender, _ = make_transport("fec-adaptive")
        sender.reported.note(0.03, 0.0)
        assert sender.parity_for(20, False, 0.0) > 0
        assert sender.parity_for(20, True, 0.0) >= 2 * sender.parity_for(20, False, 0.0)

    def test_a_loss_is_remembered_for_ten_seconds_and_the_last_one_for_ever(self):
        seen = ReportedLoss()
        seen.note(0.3, 0.0)
        seen.note(0.1, 5.0)
        assert seen.now(9.0) == 0.3
        assert seen.now(11.0) == 0.1
        assert seen.now(1e6) == 0.1

    def test_short_round_trips_leave_it_to_requests(self):
        short, long = (pair("nack-fec", "10%", delay=delay) for delay in (0.004, 0.05))
        logs = [sent_datagrams(run) for run in (short, long)]
        for run in (short, long):
            run.run(clip(100), until=6)
        parity = [sum(kind_of(d) == PARITY for at, d in log if at > 1) for log in logs]
        assert parity[0] == 0 < parity[1]


class TestNack:
    @given(
        st.floats(0.005, 0.15),
        st.floats(0.05, 0.6),
        st.sampled_from(["5%", "30%", "ge:0.2:4"]),
        st.integers(0, 100),
    )
    @settings(max_examples=15)
    def test_nothing_is_sent_again_that_cannot_arrive_in_time(self, delay, deadline, loss, seed):
        run = pair("nack", loss, delay=delay, capacity=Constant(50_000), seed=seed)
        log = sent_datagrams(run)
        run.run(clip(40, deadline=deadline), until=5)
        limit = {}
        for at, datagram in log:
            _, piece = read_piece(datagram)
            limit.setdefault(piece.frame, at + deadline)
            if piece.again:
                assert at + delay <= limit[piece.frame] + 0.001

    def test_nothing_is_asked_for_when_a_round_trip_takes_too_long(self):
        run = pair("nack", "10%", back="0", delay=0.15)
        run.run(clip(200, deadline=0.25), until=12)
        # Until it has measured, a receiver believes in 100 ms.
        assert run.receiver.requests < 40
        assert run.forward.counts.sent == 800

    def test_every_loss_is_asked_for_and_mended_where_there_is_time(self):
        run, frames = pair("nack", "20%", back="0", delay=0.02), clip(200, deadline=1.0)
        run.run(frames, until=12)
        assert whole(run.delivered()[: 10**6], frames[:-1]) > 0.999
        losses = run.forward.counts.lost
        assert losses <= run.receiver.requests < 1.5 * losses

    def test_a_lost_tail_is_asked_for_before_the_next_frame(self):
        run, frames = pair("nack", delay=0.01), clip(2, fps=2.0)
        run.forward.losses = Lose({3})
        run.run(frames, until=0.4)
        assert len(run.delivered()) == 4

    def test_the_most_useful_per_byte_come_first_within_a_budget(self):
        resender = Resender(threshold=0.01, budget=400)
        worth = {0: (100, 1.0), 1: (300, 9.0), 2: (60, 5.0), 3: (60, 0.5), 4: (700, 50.0)}
        for number, (size, utility) in worth.items():
            resender.keep(number, MediaPacket(0, number, 5, bytes(size), 10.0, utility=utility), 0.0)
        chosen = [n for n, _ in resender.choose(range(5), 0.1, 0.05, 1.0)]
        assert chosen == [2]  # 4 does not fit; 1 not beside 2; 0 and 3 are worth less than asked
        resender.budget = math.inf
        assert [n for n, _ in resender.choose(range(5), 0.1, 0.05, 2.0)] == [4, 2, 1]

    def test_a_utility_function_is_asked_with_packet_and_time(self):
        asked = []

        def utility(packet, now):
            asked.append((packet.frame, now))
            return 1.0 if packet.index == 0 else 0.0

        run = pair("nack", "30%", back="0", utility=utility, threshold=1e-9)
        log = sent_datagrams(run)
        run.run(clip(50), until=4)
        again = [read_piece(d)[1] for _, d in log if read_piece(d)[1].again]
        assert asked
        assert again
        assert {read_place(piece.layout)[0] for piece in again} == {0}


class TestHairpin:
    def test_the_last_round_gets_the_most_redundancy(self):
        for loss in (0.05, 0.2, 0.5):
            for missing in (1, 4, 20):
                for price in (3, 6, 9):
                    rows = [hairpin_plan.spare(loss, missing, rounds, price) for rounds in range(1, 9)]
                    assert rows[0] == max(rows)
                    assert rows[0] > rows[-1] or rows[0] == 0

    def test_a_plan_keeps_its_probability_and_costs_less_with_more_rounds(self):
        random = np.random.default_rng(1)
        for loss, missing, rounds in [(0.1, 5, 1), (0.3, 10, 2), (0.5, 3, 3)]:
            price = hairpin_plan.choose(loss, missing, rounds, 0.01)
            plan = hairpin_plan.plans(loss)[price]
            assert plan.miss[rounds, missing] <= 0.01
            assert plan.cost[rounds + 1, missing] <= plan.cost[rounds, missing] + 1e-9
            misses = 0
            for _ in range(4000):
                left = missing
                for turn in range(rounds, 0, -1):
                    packets = left + hairpin_plan.spare(loss, left, turn, price)
                    left = max(0, left - int((random.random(packets) >= loss).sum()))
                    if not left:
                        break
                misses += left > 0
            assert misses / 4000 == pytest.approx(plan.miss[rounds, missing], abs=0.006)

    def test_fewer_misses_than_requests_alone_at_a_tight_deadline(self):
        frames = clip(400, deadline=0.18)
        share = {}
        for name in ("nack", "hairpin"):
            run = pair(name, "20%", delay=0.03)
            run.run(frames, until=20)
            share[name] = whole(run.delivered(), frames, 0.18)
        assert share["hairpin"] > share["nack"] + 0.05
        assert share["hairpin"] > 0.98

    def test_fewer_bytes_than_adaptive_parity_where_there_is_time(self):
        frames = clip(400, deadline=0.5)
        sent = {}
        for name in ("fec-adaptive", "hairpin"):
            run = pair(name, "10%", delay=0.03)
            run.run(frames, until=20)
            sent[name] = run.forward.counts.bytes_sent
            assert whole(run.delivered(), frames, 0.5) > 0.93
        assert sent["hairpin"] < 0.85 * sent["fec-adaptive"]

    def test_nothing_leaves_that_cannot_arrive_in_time(self):
        run = pair("hairpin", "30%", delay=0.06, capacity=Constant(50_000))
        log = sent_datagrams(run)
        run.run(clip(100, deadline=0.3), until=6)
        for at, datagram in log:
            _, piece = read_piece(datagram)
            if piece.again:
                assert at + 0.06 <= piece.frame / 25 + 0.3 + 0.001

    def test_silence_starts_the_next_round(self):
        """Every report is lost: the frame is sent again after a round trip, as it might be gone."""
        run = pair("hairpin", "0", back="1")
        run.run([(0.0, MediaFrame(0, (b"x",) * 3, deadline=0.5))], until=2)
        assert run.forward.counts.sent > 6
        assert run.next_wakeup() == math.inf

    def test_frames_without_deadline_and_answer_do_not_pile_up(self):
        run = pair("hairpin", "0", back="1", capacity=Constant(50_000))
        run.run(((i / 100, MediaFrame(i, (b"x",))) for i in range(600)), until=8)
        assert len(run.sender._codes) == hairpin.MOST_CODES

    @pytest.mark.parametrize("wrong", [{"tolerated": 0}, {"tolerated": 1}, {"tolerance": 0.1}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(TransportError):
            make_transport("hairpin", **wrong)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(TransportError, match="nack-fec"):
        make_transport("quic")


@pytest.mark.parametrize(
    ("packets", "utilities"),
    [((b"",), ()), ((bytes(1201),), ()), ((b"x",), (1.0, 2.0)), ((b"x",) * 2048, ())],
)
def test_frames_that_fit_nothing_are_refused(packets, utilities):
    with pytest.raises(TransportError):
        MediaFrame(0, packets, utilities=utilities)
