"""The packet map: a partition, far neighbours, and contexts that stay within the packet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec.packet_map import MAX_PACKETS, lattice_step, packet_map


@st.composite
def maps(draw: st.DrawFn):
    columns, rows = draw(st.integers(1, 14)), draw(st.integers(1, 12))
    count = draw(st.integers(1, min(MAX_PACKETS, columns * rows)))
    return packet_map(columns, rows, count, draw(st.integers(0, 70_000)))


@given(maps())
def test_every_position_is_in_exactly_one_packet(m):
    assert len(m.order) == m.count
    assert sorted(np.concatenate(m.order)) == list(range(m.columns * m.rows))
    for i, order in enumerate(m.order):
        assert (m.packet[order] == i).all()
        assert (np.diff(order) > 0).all()


@given(maps())
def test_near_positions_are_the_nearest_earlier_ones_of_the_packet(m):
    """Up to a reach of min(12, 2 + 2 sqrt(count)) positions; the row nearer first, then from the left."""
    reach = min(12, 2 + int(2 * m.count**0.5))
    for p in range(m.columns * m.rows):
        x, y = p % m.columns, p // m.columns
        ranked = sorted(
            ((q % m.columns - x) ** 2 + (q // m.columns - y) ** 2, y - q // m.columns, q % m.columns - x, q)
            for q in m.order[m.packet[p]][: np.searchsorted(m.order[m.packet[p]], p)]
            if abs(q % m.columns - x) <= reach and y - q // m.columns <= reach
        )
        expected = [q for *_, q in ranked[:3]]
        assert list(m.near[p]) == expected + [-1] * (3 - len(expected))


@pytest.mark.parametrize("count", range(2, 13))
@pytest.mark.parametrize("frame", [0, 5])
def test_neighbours_travel_apart(count, frame):
    packet = packet_map(11, 9, count, frame).packet.reshape(9, 11)
    assert (packet[:, 1:] != packet[:, :-1]).all()
    assert (packet[1:] != packet[:-1]).all()


@pytest.mark.parametrize("count", range(2, 13))
def test_a_place_travels_in_another_packet_in_the_next_frame(count):
    a, b = (packet_map(11, 9, count, frame).packet for frame in (40, 41))
    assert (a != b).all()


def test_the_lattice_is_wire_format():
    steps = [lattice_step(n) for n in range(1, 17)]
    assert steps == [0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 5, 4, 4, 4]


@pytest.mark.parametrize("count", [20, 50, 100, 128])
def test_large_counts_spread_evenly(count):
    m = packet_map(40, 23, count, 3)
    sizes = [len(order) for order in m.order]
    assert max(sizes) - min(sizes) <= 3
    # The least distance within a packet is near that of the densest lattice, 1.07 sqrt(n).
    k = lattice_step(count)
    least = min(
        x * x + y * y
        for y in range(13)
        for x in range(-13, 14)
        if (x, y) != (0, 0) and (x + k * y) % count == 0
    )
    assert least >= 0.75 * count


def test_maps_are_shared_and_can_not_be_written():
    assert packet_map(9, 7, 4, 8) is packet_map(9, 7, 4, 12)
    with pytest.raises(ValueError, match="read-only"):
        packet_map(9, 7, 4, 8).packet[0] = 1


@pytest.mark.parametrize("count", [0, -1, 13, 129])
def test_impossible_counts(count):
    with pytest.raises(ValueError, match="can not have"):
        packet_map(4, 3, count, 0)
