"""Parity, fixed and adaptive: what it brings back, when there is more of it, and what it refuses."""

import math

import numpy as np
import pytest
from t4vcodec.network.capacity import Constant
from t4vcodec.network.transports import (
    MediaFrame,
    TransportError,
    make_transport,
)
from t4vcodec.network.transports.fec_adaptive import ReportedLoss, table
from t4vcodec.network.transports.wire import MEDIA, PARITY, kind_of, read_piece
from transport_runs import clip, pair, sent_datagrams, whole


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
