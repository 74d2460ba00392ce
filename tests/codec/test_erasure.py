"""Any subset decodes, and losing packets is erasing symbols."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec import Setup
from t4vcodec.codec.erasure import PacketErasure, assemble
from t4vcodec.codec.models import load_tables
from t4vcodec.codec.packets import FrameHeader, PacketSymbols, PayloadParser, serialise

SETUP = Setup(80, 48)


def equal(a: PacketSymbols, b: PacketSymbols) -> bool:
    return (
        np.array_equal(a.positions, b.positions)
        and np.array_equal(a.copied_positions, b.copied_positions)
        and len(a.copied) == len(b.copied)
        and all(np.array_equal(p, q) for p, q in zip(a.own + a.copied, b.own + b.copied))
    )


@pytest.mark.parametrize("which", ["clip", "starved"])
def test_any_subset_decodes_to_the_same_symbols(which, request):
    """Each packet alone, by a fresh parser, and after any others, by a used one."""
    coded = request.getfixturevalue(which)
    tables = load_tables(coded.setup.model)
    rng = np.random.default_rng(1)
    used = PayloadParser(coded.setup, tables)
    every = [p for packets in coded.packets for p in packets]
    alone = [PayloadParser(coded.setup, tables).parse(p) for p in every]
    for _ in range(3):
        for i in rng.permutation(len(every))[: len(every) * 2 // 3]:
            assert equal(used.parse(every[i]), alone[i])


@pytest.mark.parametrize("which", ["clip", "starved"])
def test_losing_is_erasing(which, request):
    """Bit for bit, key and long-term frames with their copies included."""
    coded = request.getfixturevalue(which)
    parser = PayloadParser(coded.setup, load_tables(coded.setup.model))
    rng = np.random.default_rng(2)
    used_copies = 0
    for packets, frame in zip(coded.packets, coded.symbols):
        for loss in (0.0, 0.3, 0.6, 1.0):
            lost = rng.random(len(packets)) < loss
            arrived = [parser.parse(p) for p in packets if not lost[p.index]]
            rng.shuffle(arrived)
            received = assemble(frame.packets.columns, frame.packets.rows, arrived)
            offset = frame.header.copy_offset
            assert received == PacketErasure.erase(frame.symbols, frame.copies, frame.packets, lost, offset)
            used_copies += received.coarse.sum()
    assert used_copies > 0


@given(st.integers(1, 15), st.integers(0, 31), st.booleans(), st.integers(0, 2**32 - 1), st.data())
def test_losing_is_erasing_for_any_symbols(tables, valid_symbols, count, distance, copied, seed, data):
    header = FrameHeader(seed % 65536, count, 30, distance, long=distance == 0, copies=copied)
    symbols, copies = valid_symbols(header, SETUP, tables, seed)
    frame = header.map(SETUP)
    lost = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    parser = PayloadParser(SETUP, tables)
    packets = serialise(header, symbols, copies, frame, tables, SETUP.salt)
    arrived = [parser.parse(p) for p in reversed(packets) if not lost[p.index]]
    offset = header.copy_offset
    expected = PacketErasure.erase(symbols, copies if offset else None, frame, lost, offset)
    assert assemble(frame.columns, frame.rows, arrived) == expected


def test_draws_follow_the_seed_and_the_loss():
    a, b = PacketErasure(0.3, seed=4), PacketErasure(0.3, seed=4)
    draws = [a.draw(9) for _ in range(500)]
    assert all(np.array_equal(d, b.draw(9)) for d in draws)
    assert abs(np.mean(draws) - 0.3) < 0.03
    assert not PacketErasure(0.0).draw(100).any()
    assert PacketErasure(1.0).draw(100).all()


def test_the_layer_erases_what_it_draws(clip):
    frame = clip.symbols[0]
    offset = frame.header.copy_offset
    received = PacketErasure(0.5, seed=3)(frame.symbols, frame.copies, frame.packets, offset)
    lost = PacketErasure(0.5, seed=3).draw(frame.packets.count)
    assert received == PacketErasure.erase(frame.symbols, frame.copies, frame.packets, lost, offset)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="loss"):
        PacketErasure(1.5)
    header = FrameHeader(0, 3, 30, 1)
    frame = header.map(SETUP)
    with pytest.raises(ValueError, match=r"expected shape \(3,\)"):
        PacketErasure.erase(None, None, frame, [True], 0)


@pytest.mark.parametrize("lost", range(1 << 6))
def test_packets_without_positions(tables, valid_symbols, lost):
    """In a picture one position wide three of six packets have none; they may carry copies all the same."""
    setup = Setup(16, 96)
    header = FrameHeader(5, 6, 30, distance=16, long=True, copies=True)
    frame = header.map(setup)
    assert sorted(len(order) for order in frame.order) == [0, 0, 0, 2, 2, 2]
    symbols, copies = valid_symbols(header, setup, tables, 1)
    gone = [bool(lost >> i & 1) for i in range(6)]
    parser = PayloadParser(setup, tables)
    packets = serialise(header, symbols, copies, frame, tables, setup.salt)
    arrived = [parser.parse(p) for p in packets if not gone[p.index]]
    expected = PacketErasure.erase(symbols, copies, frame, gone, header.copy_offset)
    assert assemble(frame.columns, frame.rows, arrived) == expected
