"""Whole or not at all; the same size comes back."""

import resource
from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.media import Colour, MediaError, from_rgb, open_video, open_writer, to_rgb

BT601 = Colour()
NAMES = ["out.mp4", "out.mkv", "out.y4m", "folder"]


def smooth(width, height, time=0.0, colour=BT601):
    ramp = np.add.outer(np.arange(height) * 2, np.arange(width) * 3) % 200
    rgb = np.stack((ramp, ramp // 2 + 40, 220 - ramp), axis=-1).astype(np.uint8)
    return from_rgb(rgb, time, colour)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("size", [(64, 48), (5, 7), (1, 1), (64, 33), (2, 2)])
@pytest.mark.parametrize("colour", [Colour(), Colour("bt709", True)], ids=repr)
def test_video_files_keep_size_colour_and_times(tmp_path, name, size, colour):
    times = [0.0, 0.04, 0.3, 0.34]
    frames = [smooth(*size, time, colour) for time in times]
    with open_writer(tmp_path / name, *size, Fraction(25), colour) as writer:
        for frame in frames:
            writer.write(frame)
    back = list(open_video(tmp_path / name))
    assert [frame.time for frame in back] == pytest.approx(times, abs=1e-3)
    for frame, other in zip(frames, back, strict=True):
        assert other.colour == colour
        assert other.y.shape == frame.y.shape
        assert np.abs(to_rgb(other).astype(int) - to_rgb(frame)).mean() < 6


@pytest.mark.parametrize(
    "fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(10), Fraction(60)]
)
def test_rate_comes_back(tmp_path, fps):
    with open_writer(tmp_path / "rate.mp4", 16, 16, fps, Colour()) as writer:
        for index in range(8):
            writer.write(smooth(16, 16, float(index / fps)))
    video = open_video(tmp_path / "rate.mp4")
    assert (video.info.fps, video.info.frames) == (fps, 8)


def test_equal_times_are_kept_apart(tmp_path):
    with open_writer(tmp_path / "same.mp4", 16, 16, Fraction(25), Colour()) as writer:
        for _ in range(3):
            writer.write(smooth(16, 16))
    assert len(list(open_video(tmp_path / "same.mp4"))) == 3


def test_other_colour_is_converted(tmp_path):
    frame = smooth(16, 16, colour=Colour("bt709", True))
    with open_writer(tmp_path / "c.y4m", 16, 16, Fraction(25), Colour()) as writer:
        writer.write(frame)
    (back,) = open_video(tmp_path / "c.y4m")
    assert back.colour == Colour()
    assert np.abs(to_rgb(back).astype(int) - to_rgb(frame)).mean() < 2


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_leaves_nothing(tmp_path, name):
    def interrupted():
        with open_writer(tmp_path / name, 16, 16, Fraction(25), Colour()) as writer:
            writer.write(smooth(16, 16))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_never_closed_leaves_nothing(tmp_path, name):
    writer = open_writer(tmp_path / name, 16, 16, Fraction(25), Colour())
    writer.write(smooth(16, 16))
    assert not (tmp_path / name).exists()
    del writer
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_pictures_and_wrong_sizes(tmp_path, name):
    with (
        pytest.raises(MediaError, match="no pictures were written"),
        open_writer(tmp_path / name, 16, 16, Fraction(25), Colour()),
    ):
        pass
    with (
        pytest.raises(MediaError, match="picture 0 is 8x16, expected 16x16"),
        open_writer(tmp_path / name, 16, 16, Fraction(25), Colour()) as writer,
    ):
        writer.write(smooth(8, 16))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_closed_writer_takes_nothing(tmp_path, name):
    writer = open_writer(tmp_path / name, 16, 16, Fraction(25), Colour())
    writer.write(smooth(16, 16))
    writer.close()
    writer.close()
    with pytest.raises(MediaError, match="is closed"):
        writer.write(smooth(16, 16))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_existing_file_is_replaced_only_at_the_end(tmp_path):
    path = tmp_path / "out.y4m"
    path.write_bytes(b"old")
    with open_writer(path, 16, 16, Fraction(25), Colour()) as writer:
        writer.write(smooth(16, 16))
        assert path.read_bytes() == b"old"
    assert len(list(open_video(path))) == 1


@pytest.mark.parametrize("name", NAMES)
def test_full_disk(tmp_path, name):
    """A limit on the size of files stands for a full disk."""
    rng = np.random.default_rng(0)

    def write():
        with open_writer(tmp_path / name, 128, 128, Fraction(25), Colour()) as writer:
            for index in range(4):
                rgb = rng.integers(0, 256, (128, 128, 3), dtype=np.uint8)
                writer.write(from_rgb(rgb, index / 25, Colour()))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(MediaError, match="cannot be written") as caught:
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_places_that_cannot_be_written(tmp_path, name):
    with pytest.raises(MediaError, match="cannot be written"):
        open_writer(tmp_path / "nowhere" / name, 16, 16, Fraction(25), Colour())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MediaError, match="cannot be written"):
        open_writer(tmp_path / "file" / name, 16, 16, Fraction(25), Colour())


def test_targets_that_make_no_sense(tmp_path):
    with pytest.raises(MediaError, match=r"cannot write \.avi files"):
        open_writer(tmp_path / "out.avi", 16, 16, Fraction(25), Colour())
    with pytest.raises(MediaError, match="8193x16"):
        open_writer(tmp_path / "out.mp4", 8193, 16, Fraction(25), Colour())
    with pytest.raises(MediaError, match="rate above 0"):
        open_writer(tmp_path / "out.mp4", 16, 16, Fraction(0), Colour())
    (tmp_path / "dir.y4m").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        open_writer(tmp_path / "dir.y4m", 16, 16, Fraction(25), Colour())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"")
    with pytest.raises(MediaError, match="not an empty folder"):
        open_writer(tmp_path / "full", 16, 16, Fraction(25), Colour())
