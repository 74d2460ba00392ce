"""Heat over pictures."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.overlay import heat_maps, overlaid, write_sheet, write_video
from t4vcodec.importance.saliency import latent_fields, picture_fields
from t4vcodec.importance.trace import trace_gradients
from t4vcodec.media import open_video


def test_heat_is_where_the_saliency_is(clean):
    heat = np.zeros(clean.shape[:3], np.float32)
    heat[2, 16:32, 16:32] = 1
    shown = overlaid(clean, heat).astype(int)
    change = np.abs(shown - overlaid(clean, np.zeros_like(heat))).sum(3)
    assert (change[2, 16:32, 16:32] > 0).mean() > 0.9
    assert not change[3].any()
    with pytest.raises(ImportanceError, match="does not fit"):
        overlaid(clean, heat[1:])


def test_maps_have_the_size_of_the_pictures_and_nothing_where_nothing_came(video, some, target):
    played, trace = video.play(some), trace_gradients(video, some, target)
    for make in (latent_fields, picture_fields):
        heat = heat_maps(video, played, make(video, played, trace), "l2")
        assert heat.shape == (video.frames, video.setup.height, video.setup.width)
        assert heat[4].any() == (make is picture_fields)


def test_sheets_and_videos_are_written(clean, tmp_path):
    heat = np.random.default_rng(0).random(clean.shape[:3])
    write_sheet(tmp_path / "sheet.png", clean, [heat, 2 * heat], moments=3, height=60)
    picture = Image.open(tmp_path / "sheet.png")
    assert picture.height == 180
    assert picture.width == pytest.approx(3 * 60 * clean.shape[2] / clean.shape[1], abs=2)
    write_video(tmp_path / "heat.mp4", clean, heat, Fraction(25))
    assert len(list(open_video(str(tmp_path / "heat.mp4")))) == len(clean)
    assert {p.name for p in tmp_path.iterdir()} == {"sheet.png", "heat.mp4"}


def test_a_place_that_cannot_be_written_is_told(clean, tmp_path):
    with pytest.raises(ImportanceError, match="cannot be written"):
        write_sheet(tmp_path / "none" / "sheet.png", clean, [np.zeros(clean.shape[:3])])
