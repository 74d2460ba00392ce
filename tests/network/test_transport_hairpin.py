"""Parity and copies planned over rounds."""

import math

import numpy as np
import pytest
from t4vcodec.network.capacity import Constant
from t4vcodec.network.transports import (
    MediaFrame,
    TransportError,
    hairpin,
    hairpin_plan,
    make_transport,
)
from t4vcodec.network.transports.wire import read_piece
from transport_runs import clip, pair, sent_datagrams, whole


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
