"""TCP: everything in order, a throughput as the formulas say, recovery from what can be lost."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.network.capacity import Constant, Steps
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.duplex import Pair
from t4vcodec.network.link import Route
from t4vcodec.network.transports.base import MediaFrame, TransportError
from t4vcodec.network.transports.tcp import TcpSender
from t4vcodec.network.transports.tcp_receiver import TcpReceiver
from t4vcodec.network.transports.tcp_window import Cubic, Reno
from t4vcodec.network.transports.tcp_wire import SegmentHead, read_segment, write_segment
from t4vcodec.network.transports.wire import WireError
from transport_runs import Lose


def clip(frames, packets=4, size=700, fps=25.0, start=0.0):
    return [
        (start + i / fps, MediaFrame(i, tuple(bytes([i % 256, j]) * (size // 2) for j in range(packets))))
        for i in range(frames)
    ]


def pair(loss="0", back_loss=None, capacity=None, delay=0.03, seed=0, **settings):
    there = Route(capacity or Constant(5000), delay, channel=parse_channel(loss))
    back = Route(delay=delay, channel=parse_channel(back_loss or loss))
    return Pair(TcpSender(**settings), TcpReceiver(), there, back, clip="tcp", seed=seed)


@given(
    st.sampled_from(["0", "2%", "10%", "30%", "ge:0.2:4", "get:0.2:100"]),
    st.sampled_from(["reno", "cubic"]),
    st.sampled_from(["rack", "rfc6675"]),
    st.integers(0, 1000),
)
@settings(max_examples=25)
def test_everything_is_delivered_once_and_in_order(loss, window, losses, seed):
    run = pair(loss, seed=seed, window=window, losses=losses)
    frames = clip(20)
    run.run(frames, until=1e6)
    sent = [(f.number, i, 4, data) for _, f in frames for i, data in enumerate(f.packets)]
    got = run.delivered()
    assert [packet[:4] for packet in got] == sent
    assert [packet.time for packet in got] == sorted(packet.time for packet in got)
    assert run.next_wakeup() == math.inf


def throughput(loss, window, losses, seed, delay=0.05, seconds=45.0):
    """Segments a second, after a second, of a sender that always has data, on a link that only loses."""
    run = pair(loss, "0", Constant(200_000), delay, seed, window=window, losses=losses)
    data = (bytes(1200 - 14),) * 200
    run.run(((0.2 * i, MediaFrame(i, data)) for i in range(10_000)), until=seconds)
    return sum(packet.time > 1 for packet in run.delivered()) / (seconds - 1)


def pftk(loss, round_trip, timeout, acked=2):
    """Padhye et al., "Modeling TCP throughput" (SIGCOMM 1998), equation 30 without a receive window, segments/s."""
    once = round_trip * math.sqrt(2 * acked * loss / 3)
    again = timeout * min(1, 3 * math.sqrt(3 * acked * loss / 8)) * loss * (1 + 32 * loss**2)
    return 1 / (once + again)


@pytest.mark.parametrize("loss", [0.005, 0.02, 0.05])
def test_reno_is_as_fast_as_the_formula_says(loss):
    expected = pftk(loss, 0.1, 0.3, acked=1)
    assert 0.8 < throughput(f"{loss}", "reno", "rfc6675", 0, seconds=90) / expected < 1.25


def test_throughput_falls_with_the_root_of_the_loss():
    """Mathis et al., "The macroscopic behavior of the TCP congestion avoidance algorithm" (CCR 1997)."""
    few, many = (throughput(loss, "reno", "rack", 0, seconds=90) for loss in ("0.3%", "2.7%"))
    assert 2.2 < few / many < 4  # 3 by the formula


def test_cubic_is_faster_than_reno_on_long_ways_as_its_formula_says():
    reno = throughput("0.3%", "reno", "rack", 0, delay=0.15)
    cubic = throughput("0.3%", "cubic", "rack", 0, delay=0.15)
    # RFC 9438, section 5.2: (C (3 + beta) / (4 (1 - beta)))^(1/4) RTT^(3/4) / p^(3/4) segments each round trip
    formula = (0.4 * 3.7 / 1.2) ** 0.25 * 0.3**0.75 / 0.003**0.75 / 0.3
    assert cubic > 1.1 * reno
    assert 0.5 < cubic / formula < 1.6


def test_a_lost_segment_is_sent_again_a_round_trip_later():
    """No timeout where segments follow: the loss costs one round trip and what detection takes."""
    for losses in ("rack", "rfc6675"):
        run = pair(capacity=Constant(10_000), delay=0.05, losses=losses)
        run.forward.losses = Lose({20})
        run.run(clip(40, fps=50), until=5)
        times = [packet.time - packet.frame / 50 for packet in run.delivered()]
        assert run.sender.timeouts == 0
        assert run.sender.resent == 1
        assert 0.15 < max(times) < 0.20


def test_a_lost_tail_is_probed_not_timed_out():
    run = pair(capacity=Constant(10_000), delay=0.05)
    run.forward.losses = Lose({83})
    run.run(clip(21), until=5)
    assert run.sender.timeouts == 0
    assert max(packet.time for packet in run.delivered()) < 0.8 + 0.05 + 2 * 0.1 + 0.1


def test_timeouts_back_off_while_nothing_comes_back():
    run = pair(back_loss="1", window="reno")
    run.run(clip(10), until=20.0)
    # 1, 2, 4, 8 seconds after the first segment, which no measured round trip shortens
    assert run.sender.timeouts == 4
    assert run.sender.congestion.window == 1
    assert run.next_wakeup() == pytest.approx(31.0)


def test_a_standing_link_costs_only_its_time():
    run = pair(capacity=Steps((0, 1, 5), (2000, 0, 2000)))
    run.run(clip(75), until=60)
    got = run.delivered()
    assert len(got) == 300
    assert got[-1].time < 14


def test_the_window_is_halved_once_for_losses_of_one_round():
    run = pair(capacity=Constant(20_000), delay=0.05, window="reno")
    run.forward.losses = Lose({60, 61, 63})
    run.run(clip(30, packets=10), until=3)
    assert run.sender.recoveries == 1
    assert run.sender.timeouts == 0


def test_an_unused_window_does_not_grow():
    run = pair(capacity=Constant(20_000), delay=0.01)
    run.run(clip(250), until=11)
    assert run.sender.congestion.window <= 12


def test_windows_follow_their_rules():
    reno = Reno(window=20.0, threshold=10.0)
    for _ in range(20):
        reno.grow(1, 0.1, 0.0)
    assert reno.window == pytest.approx(21, abs=0.05)
    assert reno.shrink(1.0) == 10  # whole segments, rounded down
    reno.timed_out(2.0, first=False)
    assert (reno.window, reno.threshold) == (1.0, 10)

    cubic = Cubic(window=100.0, threshold=50.0)
    cubic.window = cubic.shrink(0.0)
    assert cubic.window == pytest.approx(70)
    time = 0.0
    delay = math.cbrt(30 / 0.4)
    while time < delay:  # back at the maximum after K seconds, and flat there
        for _ in range(int(cubic.window)):
            cubic.grow(1, 0.1, time)
        time += 0.1
    assert cubic.window == pytest.approx(100, rel=0.03)


def test_the_receiver_delays_acknowledgements_but_not_bad_news():
    receiver = TcpReceiver()
    start = 0

    def take(size, now, skip=0):
        nonlocal start
        start += skip
        receiver.handle(write_segment(SegmentHead(start, 0, data=bytes(size))), now)
        start += size
        return [read_segment(d, 0, 0) for d in receiver.poll(now)]

    for i in range(16):
        assert len(take(100, 0.01 * i)) == 1
    assert take(100, 1.0) == []
    assert receiver.next_wakeup() == pytest.approx(1.04)
    assert len(take(100, 1.01)) == 1  # two segments
    assert take(100, 1.02) == []
    (news,) = take(100, 1.03, skip=100)  # a gap
    assert news.sack == ((start - 100, start),)
    (news,) = take(100, 1.04, skip=100)
    assert news.sack == ((start - 100, start), (start - 300, start - 200))


def test_reassembly_is_bounded_and_survives_overlaps():
    receiver = TcpReceiver()
    receiver.handle(write_segment(SegmentHead(5 << 20, 0, data=bytes(100))), 0.0)
    assert (receiver.foreign, receiver.buffered_bytes) == (1, 0)
    for begin, end in [(300, 500), (200, 400), (450, 700), (300, 350), (100, 800)]:
        receiver.handle(write_segment(SegmentHead(begin, 0, data=bytes(end - begin))), 0.0)
    assert receiver.buffered_bytes == 700
    receiver.handle(write_segment(SegmentHead(0, 0, data=bytes(150))), 0.0)
    assert receiver.buffered_bytes == 0
    assert read_segment(receiver.poll(0.0)[0], 0, 0).ack == 800


@given(st.binary(max_size=80))
def test_foreign_datagrams_do_nothing(data):
    sender, receiver = TcpSender(), TcpReceiver()
    sender.send(MediaFrame(0, (b"x",)), 0.0)
    sender.poll(0.0)
    for datagram in (data, b"\x05" + data):
        sender.handle(datagram, 0.0)
        receiver.handle(datagram, 0.0)
        try:
            segment = read_segment(datagram, 0, 0)
        except WireError:
            continue
        assert write_segment(segment)[:4] == datagram[:4]


def test_acknowledgements_of_what_was_never_sent_are_foreign():
    sender = TcpSender()
    sender.handle(write_segment(SegmentHead(0, 5000)), 0.0)
    sender.handle(write_segment(SegmentHead(0, 0, ((100, 200),))), 0.0)
    assert sender.foreign == 2


def test_a_clock_that_jumps_back_stops_nothing():
    sender, receiver = TcpSender(), TcpReceiver()
    sender.send(MediaFrame(0, (b"payload",)), 100.0)
    (datagram,) = sender.poll(100.0)
    receiver.handle(datagram, 50.0)
    (ack,) = receiver.poll(49.0)
    sender.handle(ack, 20.0)
    assert sender.next_wakeup() == math.inf
    assert sender.round_trip == 0.0


@pytest.mark.parametrize("wrong", [{"window": "vegas"}, {"losses": "none"}, {"mss": 0}, {"mss": 9000}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(TransportError):
        TcpSender(**wrong)


@pytest.mark.parametrize("window", ["reno", "cubic"])
def test_a_bulk_transfer_fills_a_link_whose_queue_it_overflows(window):
    run = pair(capacity=Constant(4000), delay=0.03, window=window)
    run.forward.queue_bytes = 30_000  # one round trip's worth
    data = (bytes(1200 - 14),) * 100
    run.run(((0.25 * i, MediaFrame(i, data)) for i in range(100)), until=20)
    bytes_used = sum(len(packet.data) + 14 for packet in run.delivered() if packet.time > 5)
    assert run.forward.counts.dropped > 0
    assert bytes_used * 1252 / 1200 > 0.93 * 15 * 4000 * 125
