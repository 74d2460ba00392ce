"""Transports over datagrams: what arrives, what is sent again and what never, and that nothing foreign harms."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.network.capacity import Steps
from t4vcodec.network.link import IP_UDP_BYTES
from t4vcodec.network.stream import HEADER_BYTES, MAX_PAYLOAD
from t4vcodec.network.transports import (
    NAMES,
    MediaFrame,
    TransportError,
    make_transport,
)
from t4vcodec.network.transports.fec_static import MAX_PROTECTED
from transport_runs import clip, pair, sent_datagrams, whole

DATAGRAMS = [name for name in NAMES if not name.startswith("tcp")]
RECOVERING = [name for name in DATAGRAMS if name != "udp"]


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
