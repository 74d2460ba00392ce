"""Requests: what is asked for and sent again, and what never."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.network.capacity import Constant
from t4vcodec.network.transports.base import MediaPacket
from t4vcodec.network.transports.nack import Resender
from t4vcodec.network.transports.wire import read_piece, read_place
from transport_runs import Lose, clip, pair, sent_datagrams, whole


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
