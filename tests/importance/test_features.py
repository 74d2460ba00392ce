"""What the sender knows: the same from encoder and stream, causal, and each map about what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from t4vcodec.codec import Encoder, Setup
from t4vcodec.codec.packet_map import packet_map
from t4vcodec.codec.packets import FrameHeader
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.symbols import INTRA, LONG, MEDIAN, FrameSymbols
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.features import MAPS, SCALARS, History, features_of, look
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.media import Frame

ROWS, COLUMNS = 2, 3


def still() -> FrameSymbols:
    symbols = FrameSymbols.lost(COLUMNS, ROWS)
    symbols.kind[:] = MEDIAN
    return symbols


def picture(luma: np.ndarray) -> Picture:
    grey = torch.full((luma.shape[0] // 2, luma.shape[1] // 2), 128.0)
    return Picture(torch.from_numpy(luma.astype(np.float32)), grey, grey)


def seen(luma, symbols=None, before=None, **header):
    """Maps by name of a frame of two packets, after `before` if given."""
    symbols = symbols or still()
    packet = packet_map(COLUMNS, ROWS, 2, 1).packet
    history = History()
    if before is not None:
        _, history = look(
            history, FrameHeader(0, 2, 30, 0, long=True), still(), picture(before), packet, (9, 9)
        )
    facts = FrameHeader(1, 2, 30, header.pop("distance", 1), **header)
    features, history = look(history, facts, symbols, picture(luma), packet, (100, 300))
    return dict(zip(MAPS, features.maps.reshape(len(MAPS), -1))), features, history


@pytest.fixture
def luma():
    return np.random.default_rng(0).integers(40, 200, (16 * ROWS, 16 * COLUMNS)).astype(np.uint8)


def test_encoder_and_stream_give_the_same(frames, setup):
    encoder, history = Encoder(setup, kbps=60, threads=1), History()
    sent, live = [], []
    for frame in frames:
        packets = encoder.push(frame)
        coded = encoder.coded
        features, history = look(
            history,
            coded.header,
            coded.symbols,
            encoder.reconstruction,
            coded.packets.packet,
            [len(p) for p in packets],
        )
        sent.append([bytes(p) for p in packets])
        live.append(features)
    for features, expected in zip(live, features_of(SentVideo.parse(setup, sent)), strict=True):
        assert np.array_equal(features.maps, expected.maps)
        assert np.array_equal(features.scalars, expected.scalars)
        assert np.array_equal(features.packet, expected.packet)


def test_nothing_comes_from_later_frames(setup, sent, video):
    short = SentVideo.parse(setup, sent[:4])
    for early, late in zip(features_of(short), features_of(video)):
        assert np.array_equal(early.maps, late.maps)
        assert np.array_equal(early.scalars, late.scalars)


def test_all_numbers_are_finite(video):
    for features in features_of(video):
        assert features.maps.dtype == features.scalars.dtype == np.float32
        assert np.isfinite(features.maps).all()
        assert np.isfinite(features.scalars).all()
        assert features.scalars.shape[1] == len(SCALARS)


def test_change_is_where_the_picture_changed(luma):
    later = luma.copy()
    later[16:32, 32:48] += 8
    maps, _, _ = seen(later, before=luma)
    assert maps["change"].tolist() == [0, 0, 0, 0, 0, pytest.approx(np.log2(9))]
    corner = luma.copy()
    corner[:8, :8] += 8
    maps, _, _ = seen(corner, before=luma)
    assert maps["change"][0] == pytest.approx(np.log2(1 + 2))
    assert maps["most change"][0] == pytest.approx(np.log2(1 + 8))


def test_odd_motion_is_what_the_neighbours_do_not_share(luma):
    symbols = still()
    symbols.vectors[:] = (8, 0)
    maps, _, _ = seen(luma, symbols, luma)
    assert maps["motion"].tolist() == pytest.approx([np.log2(9)] * 6)
    assert not maps["odd motion"].any()
    symbols.vectors[4] = (8, 12)
    maps, _, _ = seen(luma, symbols, luma)
    assert maps["odd motion"].argmax() == 4
    assert maps["odd motion"][4] == pytest.approx(np.log2(13))


def test_concealed_is_the_error_of_the_neighbours_motion(luma):
    symbols = still()
    symbols.vectors[:] = (-16, 0)  # four samples to the left in the picture before
    moved = np.roll(luma, 4, 1)
    maps, _, _ = seen(moved, symbols, luma)
    assert maps["concealed"][1] == maps["concealed"][4] == 0
    symbols.vectors[:] = 0
    maps, _, _ = seen(moved, symbols, luma)
    assert (maps["concealed"] > 1).all()


def test_a_vector_to_the_long_term_reference_counts_for_one_frame(luma):
    symbols = still()
    symbols.vectors[:] = (32, 0)
    symbols.reference[:] = LONG
    maps, _, _ = seen(luma, symbols, luma, distance=8)
    assert maps["motion"].tolist() == pytest.approx([np.log2(1 + 4)] * 6)
    assert maps["long"].all()


def test_residual_and_intra_are_counted(luma):
    symbols = still()
    symbols.levels[3, :3] = (-5, 1, 1)
    symbols.kind[2] = INTRA
    maps, _, _ = seen(luma, symbols, luma)
    assert maps["residual"].tolist() == [0, 0, 0, 3, 0, 0]
    assert maps["levels"].tolist() == [0, 0, 0, 2, 0, 0]
    assert maps["intra"].tolist() == [0, 0, 1, 0, 0, 0]


def test_memory_holds_the_frames_before_and_not_this_one(luma):
    later = luma.copy()
    later[:16, :16] += 8
    maps, _, history = seen(later, before=luma)
    assert not maps["recent change"].any()
    packet = packet_map(COLUMNS, ROWS, 2, 2).packet
    features, _ = look(history, FrameHeader(2, 2, 30, 1), still(), picture(later), packet, (9, 9))
    after = dict(zip(MAPS, features.maps.reshape(len(MAPS), -1)))
    assert after["recent change"].argmax() == 0
    assert after["recent change"][0] > after["lasting change"][0] > 0
    assert not after["change"].any()


def test_a_packet_knows_its_size_and_its_frame(luma):
    _, features, _ = seen(luma, before=luma, distance=4)
    numbers = [dict(zip(SCALARS, row)) for row in features.scalars]
    assert [n["share of the frame's bytes"] for n in numbers] == [0.25, 0.75]
    assert numbers[0]["bytes"] == pytest.approx(np.log2(100))
    assert numbers[0]["frames since the long-term reference"] == 0.25
    assert numbers[0]["frames since the key frame"] == 1
    assert numbers[0]["frame's bytes against those before"] > 0


def test_pictures_of_another_size_start_afresh(luma):
    _, _, history = seen(luma, before=luma)
    big = FrameSymbols.lost(4, 4)
    big.kind[:] = MEDIAN
    features, _ = look(
        history,
        FrameHeader(2, 2, 30, 1),
        big,
        picture(np.full((64, 64), 90)),
        packet_map(4, 4, 2, 2).packet,
        (9, 9),
    )
    assert not features.maps[0].any()


def test_what_is_of_another_frame_is_refused(luma):
    header, packet = FrameHeader(1, 2, 30, 1), packet_map(COLUMNS, ROWS, 2, 1).packet
    with pytest.raises(ImportanceError, match="not of one frame"):
        look(History(), header, still(), picture(luma[:16]), packet, (9, 9))
    with pytest.raises(ImportanceError, match="has them all"):
        look(History(), header, still(), picture(luma), packet, (9,))


def test_a_video_that_lacks_packets_is_refused(setup, sent):
    holes = SentVideo.parse(setup, [*sent[:3], sent[3][1:]])
    with pytest.raises(ImportanceError, match="lacks packets"):
        list(features_of(holes))


def test_setups_of_any_size_work():
    small = Setup(16, 16)
    encoder = Encoder(small, quality=30)
    frame = Frame(np.zeros((16, 16), np.uint8), *(np.zeros((8, 8), np.uint8),) * 2, 0.0)
    video = SentVideo.parse(small, [[bytes(p) for p in encoder.push(frame)] for _ in range(2)])
    assert [f.maps.shape for f in features_of(video)] == [(len(MAPS), 1, 1)] * 2
