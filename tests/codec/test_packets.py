"""Packets: header, check sum, payload; golden packets; size against information."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec import Packet, PacketError, Setup
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import (
    HEADER,
    MAX_PAYLOAD,
    FrameHeader,
    PayloadParser,
    count_bits,
    serialise,
)
from t4vcodec.codec.symbols import BLOCK16, BLOCKS8, INTRA, LAST, LONG, NEW, NONE, SPLIT, ZERO, FrameSymbols

SETUP = Setup(64, 48)  # 4x3 positions, 2x2 at half size


@st.composite
def headers(draw: st.DrawFn, most: int = 12) -> FrameHeader:
    half = draw(st.booleans())
    distance = draw(st.integers(0, 31))
    return FrameHeader(
        number=draw(st.integers(0, 65535)),
        count=draw(st.integers(1, 4 if half else most)),
        quality=draw(st.integers(0, 63)),
        distance=distance,
        long=distance == 0 or draw(st.booleans()),
        copies=draw(st.booleans()),
        half=half,
    )


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    header = draw(headers())
    payload = draw(st.binary(min_size=1, max_size=MAX_PAYLOAD - HEADER))
    return Packet(header, draw(st.integers(0, header.count - 1)), payload, SETUP.salt)


@given(packets())
def test_parse_is_the_inverse_of_bytes(packet):
    data = bytes(packet)
    assert len(data) == len(packet) == HEADER + len(packet.payload)
    assert Packet.parse(data, SETUP) == packet


@given(packets(), st.data())
def test_any_damaged_byte_is_noticed(packet, data):
    damaged = bytearray(bytes(packet))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PacketError):
        Packet.parse(bytes(damaged), SETUP)


def test_every_byte_and_every_length_of_a_coded_packet(clip):
    data = bytes(clip.packets[0][0])
    for i in range(len(data)):
        for flip in (1, 128, 255):
            with pytest.raises(PacketError):
                Packet.parse(data[:i] + bytes([data[i] ^ flip]) + data[i + 1 :], clip.setup)
        with pytest.raises(PacketError):
            Packet.parse(data[:i], clip.setup)


@given(st.binary(max_size=1300))
def test_arbitrary_bytes_raise_nothing_else(data):
    with pytest.raises(PacketError):
        Packet.parse(data, SETUP)


@pytest.mark.parametrize(
    "other", [Setup(48, 64), Setup(64, 46), Setup(64, 48, Fraction(30)), Setup(64, 48, model="another")]
)
def test_packets_of_another_session_are_refused(clip, other):
    assert other.salt != clip.setup.salt
    with pytest.raises(PacketError, match="check sum"):
        Packet.parse(bytes(clip.packets[1][0]), other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": 4}, "packet 4 of a frame of 4"),
        ({"count": 13}, "fewer positions"),
        ({"count": 5, "half": True}, "fewer positions"),
        ({"distance": 0, "long": False}, "key frame"),
        ({"payload": b""}, "8 bytes are no packet"),
        ({"payload": bytes(1193)}, "1201 bytes are no packet"),
    ],
)
def test_headers_that_can_not_be(change, message):
    header = FrameHeader(number=3, count=4, quality=20, distance=2)
    header = replace(header, **{k: v for k, v in change.items() if k not in ("index", "payload")})
    packet = Packet(header, change.get("index", 0), change.get("payload", b"x"), SETUP.salt)
    with pytest.raises(PacketError, match=message):
        Packet.parse(bytes(packet), SETUP)


def test_versions_to_come_are_refused_in_words(clip):
    data = bytearray(bytes(clip.packets[0][0]))
    data[0] = 2 << 6 | data[0] & 63
    with pytest.raises(PacketError, match="version 2"):
        Packet.parse(bytes(data), clip.setup)


def parsed(packet: Packet, tables, setup: Setup = SETUP):
    return PayloadParser(setup, tables).parse(packet)


@given(headers(), st.integers(0, 2**32 - 1))
def test_any_symbols_survive_the_wire(tables, valid_symbols, header, seed):
    symbols, copies = valid_symbols(header, SETUP, tables, seed)
    frame = header.map(SETUP)
    parser = PayloadParser(SETUP, tables)
    for packet in serialise(header, symbols, copies, frame, tables, SETUP.salt):
        result = parser.parse(packet)
        assert np.array_equal(result.positions, frame.order[packet.index])
        for whole, part in zip(symbols.arrays, result.own):
            assert np.array_equal(whole[result.positions], part)
        other = frame.order[(packet.index + header.copy_offset) % frame.count] if header.copy_offset else []
        assert list(result.copied_positions) == list(other)
        for whole, part in zip(copies.arrays, result.copied):
            assert np.array_equal(whole[result.copied_positions], part)


@given(headers(), st.binary(min_size=1, max_size=MAX_PAYLOAD - HEADER))
def test_arbitrary_payloads_raise_nothing_else(tables, header, payload):
    """The check sum is right here: somebody may mean it."""
    packet = Packet.parse(bytes(Packet(header, 0, payload, SETUP.salt)), SETUP)
    try:
        parsed(packet, tables)
    except PacketError as e:
        assert "longer or shorter" in str(e)  # noqa: PT017


def test_another_length_is_refused_or_says_something_else(clip):
    """The check sum is right again here; without it nearly all are refused all the same."""
    tables = load_tables(clip.setup.model)
    accepted = tried = 0
    for packet in clip.packets[0] + clip.packets[16]:
        whole = parsed(packet, tables, clip.setup)
        cuts = [packet.payload[:length] for length in range(1, len(packet.payload))]
        for other in [*cuts, packet.payload + b"\0", packet.payload + b"\x80", packet.payload + bytes(9)]:
            tried += 1
            try:
                result = parsed(replace(packet, payload=other), tables, clip.setup)
            except PacketError as e:
                assert "longer or shorter" in str(e)  # noqa: PT017
                continue
            accepted += 1
            assert any(
                not np.array_equal(a, b) for a, b in zip(whole.own + whole.copied, result.own + result.copied)
            )
    assert accepted < 0.05 * tried


def hand_made(header: FrameHeader) -> FrameSymbols:
    """Positions of every kind that can be written down without looking at their neighbours."""
    symbols = FrameSymbols.lost(4, 3)
    symbols.kind[:] = ZERO
    far = LAST if header.distance == 1 else LONG
    for p, reference, vector in ((1, LAST, (5, -3)), (6, far, (-170, 1023)), (8, far, (0, 1))):
        symbols.kind[p] = NEW
        symbols.reference[p] = reference
        symbols.vectors[p] = vector
    symbols.kind[3] = SPLIT
    symbols.reference[3] = far
    symbols.vectors[3] = [(4, 4), (4, 5), (-9, 4), (-1023, 40)]
    symbols.kind[[0, 7, 11]] = INTRA
    symbols.transform[[0, 1, 3]] = BLOCKS8
    symbols.transform[[7, 11, 2]] = BLOCK16
    assert symbols.transform[4] == NONE
    symbols.step[[0, 7, 11]] = (3, 0, 1)
    symbols.levels[0, [0, 64, 128, 192, 256, 320]] = (-5, -6, 3, 40, 2, -1)
    symbols.levels[[7, 11], 0] = (-2047, 2047)
    symbols.levels[11, [256, 320]] = (0, -300)
    symbols.modes[0] = (0, 1, 0, 6, 0, 5)
    symbols.levels[0, [65, 72, 200]] = (1, -2, 14)
    symbols.levels[0, [193, 194, 330]] = (15, -16, -700)
    symbols.modes[1] = (2, 0, 0, 1, 1, 0)
    symbols.levels[1, [0, 3, 192, 256]] = (-1, 1, 1, 2)
    symbols.modes[2, 0] = 4
    symbols.levels[2, [0, 17, 255]] = (2, 2047, -2047)
    symbols.modes[3, 4:] = (5, 5)
    symbols.levels[3, [300, 319, 383]] = (-1, 30, 1)
    symbols.modes[7, [0, 5]] = (1, 2)
    symbols.levels[7, [1, 16, 321]] = (3, -3, 9)
    return symbols


PLAIN = FrameHeader(number=7, count=1, quality=20, distance=3)


HAND_MADE = (
    ("56ebcd8746d7e503dea86087eeb1b218", PLAIN),
    ("ea10b7184ab3e03a79e1bcc12a8de485", replace(PLAIN, distance=1, count=3, quality=41)),
    ("c9d6e7448f50d9574daa2b842245b4a6", replace(PLAIN, number=65535, count=5, copies=True)),
)
RANDOM = (
    ("0bd762d6d209c8a7f58c2033bfe92459", FrameHeader(0, 8, 12, distance=0, long=True, copies=True)),
    ("c1b22a1ca8639b7a76f1c704730b8839", FrameHeader(300, 4, 30, distance=16, long=True, copies=True)),
    ("63d1a350dbaef347cd2db8033cae216c", FrameHeader(4097, 2, 63, distance=31)),
    ("a5f5ac5d201a365f0cfa24011493ed6c", FrameHeader(11, 3, 0, distance=1, half=True)),
)


@pytest.mark.parametrize(("digest", "header"), HAND_MADE, ids=["plain", "last only", "copies"])
def test_golden_hand_made_packets(tables, digest, header):
    """Wire format: if this fails, streams of earlier versions do not decode any more."""
    symbols = hand_made(header)
    packets = serialise(header, symbols, symbols, header.map(SETUP), tables, SETUP.salt)
    for packet in packets:
        result = parsed(packet, tables)
        assert all(np.array_equal(w[result.positions], p) for w, p in zip(symbols.arrays, result.own))
    assert hashlib.sha256(b"".join(map(bytes, packets))).hexdigest()[:32] == digest


@pytest.mark.parametrize(("digest", "header"), RANDOM, ids=["key", "long-term", "plain", "half"])
def test_golden_random_packets(tables, valid_symbols, digest, header):
    """Wire format: what fixed random bits mean, by every context and binarisation, and how it is written."""
    symbols, copies = valid_symbols(header, SETUP, tables, 1)
    packets = serialise(header, symbols, copies, header.map(SETUP), tables, SETUP.salt)
    meaning = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in symbols.arrays + copies.arrays)
    assert hashlib.sha256(meaning + b"".join(map(bytes, packets))).hexdigest()[:32] == digest


@given(headers(), st.integers(0, 2**32 - 1))
def test_size_of_any_symbols_against_information(tables, valid_symbols, header, seed):
    symbols, copies = valid_symbols(header, SETUP, tables, seed)
    frame = header.map(SETUP)
    size = sum(len(p.payload) for p in serialise(header, symbols, copies, frame, tables, SETUP.salt))
    own, extra = count_bits(header, symbols, copies, frame, tables)
    assert size <= (own.sum() + extra) / 8 * 1.01 + 2 * frame.count


def test_size_of_a_clip_against_information(clip):
    tables = load_tables(clip.setup.model)
    size = ideal = 0.0
    for packets, coded in zip(clip.packets, clip.symbols):
        own, extra = count_bits(coded.header, coded.symbols, coded.copies, coded.packets, tables)
        frame = sum(len(p.payload) for p in packets)
        assert frame <= (own.sum() + extra) / 8 * 1.01 + 2 * len(packets)
        size, ideal = size + frame, ideal + (own.sum() + extra) / 8
    assert ideal <= size
    assert size <= ideal * 1.01 + 2 * sum(map(len, clip.packets))


def test_counts_are_the_symbols_that_were_coded(clip):
    tables = load_tables(clip.setup.model)
    coded = clip.symbols[1]
    counts = np.zeros((tables.row.size, 24), np.int64)
    own, extra = count_bits(coded.header, coded.symbols, coded.copies, coded.packets, tables, counts)
    assert counts[: 3 * 4 * 25].sum() == coded.symbols.kind.size  # one type a position
    by_table = (counts * tables.cost[tables.row]).sum()
    assert 0 < by_table <= own.sum() + extra + 1e-6  # the rest is raw bits
