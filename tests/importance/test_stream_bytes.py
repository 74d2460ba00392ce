"""Importance in the stream: what goes in comes out, and what lies does no harm."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec import Encoder, Setup
from t4vcodec.codec.packets import MAX_PAYLOAD, FrameHeader, Packet, PacketError
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.stream_bytes import (
    StreamBytesError,
    Unwrapped,
    agreed,
    from_byte,
    overhead,
    to_byte,
    unwrap,
    wrap,
)
from t4vcodec.media import Frame

SETUP = Setup(320, 256, Fraction(25))
importance = st.floats(0, 1)


def packets_of(count: int, payload: bytes = b"payload", number: int = 7) -> list[Packet]:
    header = FrameHeader(number, count, 30, 0, long=True)
    return [Packet(header, i, payload, SETUP.salt) for i in range(count)]


@given(importance)
def test_a_byte_keeps_an_importance_within_a_step(value):
    back = from_byte(to_byte(value))
    if value < 2.0 ** (-254 / 16):
        assert back <= 2.0 ** (-254 / 16)
    else:
        assert abs(math.log2(back / value)) <= 0.5 / 16 + 1e-9


@given(st.integers(0, 255))
def test_bytes_survive_and_keep_their_order(byte):
    assert to_byte(from_byte(byte)) == byte
    assert byte == 255 or from_byte(byte) < from_byte(byte + 1)


@pytest.mark.parametrize("value", [-0.1, 1.01, math.nan, math.inf])
def test_what_is_no_importance_is_refused(value):
    with pytest.raises(ImportanceError, match="0 to 1"):
        to_byte(value)


@given(st.lists(importance, min_size=1, max_size=128), st.binary(min_size=1, max_size=1192))
def test_packets_come_back_with_all_importances_of_their_frame(values, payload):
    packets = packets_of(len(values), payload)
    expected = [from_byte(to_byte(v)) for v in values]
    for packet, sent in zip(packets, wrap(packets, values)):
        assert len(sent) <= MAX_PAYLOAD
        back = unwrap(sent, SETUP)
        assert back.packet == packet
        if len(sent) > len(packet):
            assert len(sent) == len(packet) + overhead(len(values))
            assert back.importances.tolist() == expected
        else:
            assert back.importances is None
            assert len(packet) + overhead(len(values)) > MAX_PAYLOAD


def test_the_form_is_that_of_rfc_8285():
    sent = wrap(packets_of(3), [1.0, 0.5, 0.0])[1]
    assert sent[:12] == bytes((0x10, 0, 0, 2, 1, 3, 255, 239, 0, 0, 0, 0))


@given(st.binary(max_size=300))
def test_garbage_raises_its_two_errors_alone(data):
    for payload in (data, b"\x10\x00" + data, b"\x10\x00\x00\x01\x01\x02" + data):
        with pytest.raises((StreamBytesError, PacketError)):
            unwrap(payload, SETUP)


@given(st.data())
def test_a_changed_payload_gives_the_same_packet_or_an_error(data):
    packets = packets_of(5)
    sent = bytearray(wrap(packets, [0.1, 0.2, 0.3, 0.4, 0.5])[2])
    sent[data.draw(st.integers(0, len(sent) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    sent = sent[: data.draw(st.integers(0, len(sent)))]
    try:
        back = unwrap(bytes(sent), SETUP)
    except (StreamBytesError, PacketError):
        return
    assert back.packet == packets[2]
    assert back.importances.shape == (5,)
    assert ((back.importances >= 0) & (back.importances <= 1)).all()


def test_bytes_for_another_number_of_packets_are_refused():
    sent = wrap(packets_of(2), [0.5, 0.5])[0]
    front = sent[: overhead(2)]
    with pytest.raises(StreamBytesError, match="2 importances for a frame of 3 packets"):
        unwrap(front + bytes(packets_of(3)[0]), SETUP)


def test_wrap_wants_one_importance_for_each_packet_of_a_frame():
    for packets, values in ((packets_of(2), [0.5]), (packets_of(2)[:1], [0.5])):
        with pytest.raises(ImportanceError, match="one for each packet"):
            wrap(packets, values)


def test_a_liar_is_outvoted():
    packets = packets_of(4)
    honest = [unwrap(p, SETUP) for p in wrap(packets, [1.0, 0.5, 0.25, 0.0])]
    liar = Unwrapped(packets[3], np.array([0.0, 1.0, 1.0, 1.0]))
    assert agreed([*honest[:3], liar]).tolist() == [1.0, 0.5, 0.25, 0.0]


def test_what_missing_packets_are_worth_is_known_from_any_one():
    packets = packets_of(3)
    (arrived,) = [unwrap(p, SETUP) for p in wrap(packets, [0.0, 0.5, 1.0])[:1]]
    assert agreed([arrived]).tolist() == [0.0, 0.5, 1.0]
    assert agreed([Unwrapped(packets[0], None)]) is None
    assert agreed([]) is None
    with pytest.raises(ImportanceError, match="several frames"):
        agreed([arrived, unwrap(bytes(packets_of(3, number=8)[1]), SETUP)])


def test_a_whole_session_decodes_the_same():
    random = np.random.default_rng(0)
    encoder = Encoder(Setup(64, 48), quality=30)
    frame = Frame(*(random.integers(0, 255, s, np.uint8) for s in ((48, 64), (24, 32), (24, 32))), 0.0)
    packets = encoder.push(frame)
    back = [unwrap(p, encoder.setup).packet for p in wrap(packets, np.linspace(0, 1, len(packets)))]
    assert back == packets
