"""Shapes, colours and the chroma of odd sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t4vcodec.errors import T4VError
from t4vcodec.media import Colour, Frame, MediaError, from_rgb, recolour, to_rgb
from t4vcodec.media.frames import LUMA_WEIGHTS, grow_chroma, shrink_chroma, usual_colour

COLOURS = [Colour(matrix, full) for matrix in LUMA_WEIGHTS for full in (False, True)]


def test_frame_checks_shapes_and_says_them():
    y, c = np.zeros((7, 5), np.uint8), np.zeros((4, 3), np.uint8)
    frame = Frame(y, c, c, 0.5, Colour())
    assert (frame.height, frame.width) == (7, 5)
    assert repr(frame) == "Frame(y (7, 5), u (4, 3), v (4, 3), time 0.500 s, bt601)"
    with pytest.raises(MediaError, match=r"plane v: expected \(4, 3\) uint8, got \(3, 2\) uint8"):
        Frame(y, c, np.zeros((3, 2), np.uint8), 0.0, Colour())
    with pytest.raises(MediaError, match="float64"):
        Frame(y, c.astype(float), c, 0.0, Colour())
    with pytest.raises(MediaError, match="two dimensions"):
        Frame(y[..., None], c, c, 0.0, Colour())
    with pytest.raises(MediaError, match="finite"):
        Frame(y, c, c, float("nan"), Colour())
    with pytest.raises(MediaError, match="0x3"):
        Frame(np.zeros((3, 0), np.uint8), np.zeros((2, 0), np.uint8), np.zeros((2, 0), np.uint8), 0.0)


def test_unknown_matrix_is_a_t4v_error():
    with pytest.raises(T4VError, match="bt601, bt709, bt2020"):
        Colour("bt470")


def test_usual_colour_changes_at_high_definition():
    assert usual_colour(1024, 576).matrix == "bt601"
    assert usual_colour(1280, 720).matrix == usual_colour(480, 854).matrix == "bt709"


@pytest.mark.parametrize("colour", COLOURS, ids=repr)
def test_greys_and_primaries(colour: Colour):
    black, white = (0, 255) if colour.full_range else (16, 235)
    for level, luma in ((0, black), (255, white)):
        frame = from_rgb(np.full((2, 2, 3), level, np.uint8), 0.0, colour)
        assert (frame.y == luma).all()
        assert (frame.u == 128).all()
        assert (frame.v == 128).all()
    red = from_rgb(np.tile(np.uint8([255, 0, 0]), (2, 2, 1)), 0.0, colour)
    assert red.y[0, 0] == round(black + (white - black) * LUMA_WEIGHTS[colour.matrix][0])
    assert red.v[0, 0] == (255 if colour.full_range else 240)


@pytest.mark.parametrize("colour", COLOURS, ids=repr)
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (6, 4), (1, 8)])
def test_flat_cells_survive_the_way_to_rgb_and_back(colour: Colour, size: tuple[int, int]):
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 256, ((size[0] + 1) // 2, (size[1] + 1) // 2, 3), dtype=np.uint8)
    rgb = cells.repeat(2, 0).repeat(2, 1)[: size[0], : size[1]]
    back = to_rgb(from_rgb(rgb, 0.0, colour)).astype(int)
    assert back.shape == rgb.shape
    assert np.abs(back - rgb).max() <= 3


def test_from_rgb_refuses_other_arrays():
    for wrong in (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3))):
        with pytest.raises(MediaError, match="expected"):
            from_rgb(wrong, 0.0, Colour())


def test_recolour_keeps_the_picture(noise):
    frame = from_rgb(np.tile(np.uint8([200, 90, 40]), (4, 4, 1)), 2.0, Colour())
    assert recolour(frame, Colour()) is frame
    other = recolour(frame, Colour("bt709", True))
    assert other.time == 2.0
    assert other.y[0, 0] != frame.y[0, 0]
    assert np.abs(to_rgb(other).astype(int) - to_rgb(frame)).max() <= 2


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_shrinking_undoes_growing(height: int, width: int, seed: int):
    shape = ((height + 1) // 2, (width + 1) // 2)
    plane = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    grown = grow_chroma(plane, height, width)
    assert grown.shape == (height, width)
    for part in (grown, grown[::2], grown[:, ::2], plane):
        assert np.array_equal(shrink_chroma(part, height, width), plane)


def test_shrinking_averages_and_refuses_other_shapes():
    assert shrink_chroma(np.uint8([[0, 1, 10], [2, 3, 20]]), 2, 3).tolist() == [[2, 15]]
    with pytest.raises(MediaError, match="chroma plane"):
        shrink_chroma(np.zeros((3, 3), np.uint8), 8, 8)
