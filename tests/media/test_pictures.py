"""Folders of pictures, and which clips a folder holds."""

from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.media import Colour, MediaError, from_rgb, list_clips, open_video, open_writer, to_rgb
from t4vcodec.media.pictures import natural_key


def picture(path, encode, level, width=8, height=6):
    rgb = np.full((height, width, 3), level, np.uint8)
    return encode(path, [[rgb]], "rgb24", "png", format="image2")


def test_natural_order():
    names = ["f10.png", "f2.png", "g1", "10a", "9a", "f2a.png", "²"]
    assert sorted(names, key=natural_key) == ["9a", "10a", "f2.png", "f2a.png", "f10.png", "g1", "²"]


def test_folder_is_read_in_order(tmp_path, encode):
    for number in (10, 9, 1):
        picture(tmp_path / f"f{number}.png", encode, number * 20)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    video = open_video(tmp_path)
    info = video.info
    assert (info.name, info.width, info.height, info.fps, info.frames) == (tmp_path.name, 8, 6, 25, 3)
    assert [frame.time for frame in video] == pytest.approx([0.0, 0.04, 0.08])
    assert [int(to_rgb(frame)[0, 0, 0]) for frame in video] == pytest.approx([20, 180, 200], abs=1)


def test_other_size_names_the_file(tmp_path, encode):
    picture(tmp_path / "1.png", encode, 10)
    picture(tmp_path / "2.png", encode, 10, width=10)
    with pytest.raises(MediaError, match=r"2\.png: is 10x6, but 1\.png is 8x6"):
        list(open_video(tmp_path))


def test_broken_picture_is_named(tmp_path, encode):
    picture(tmp_path / "1.png", encode, 10)
    (tmp_path / "2.png").write_bytes(b"junk")
    with pytest.raises(MediaError, match=r"2\.png"):
        list(open_video(tmp_path))


def test_mixed_colours_become_those_of_the_first(tmp_path, encode):
    picture(tmp_path / "1.png", encode, 100)
    chroma = np.full((3, 4), 128, np.uint8)
    encode(
        tmp_path / "2.jpg",
        [[np.full((6, 8), 100, np.uint8), chroma, chroma]],
        "yuvj420p",
        "mjpeg",
        format="image2",
    )
    first, second = open_video(tmp_path)
    assert first.colour == second.colour == Colour()
    assert abs(int(first.y[0, 0]) - int(second.y[0, 0])) <= 1


@pytest.mark.parametrize("size", [(8, 6), (5, 7), (1, 1)])
def test_written_folder_comes_back(tmp_path, size):
    rng = np.random.default_rng(0)
    moderate = [rng.integers(60, 180, (size[1], size[0], 3), dtype=np.uint8) for _ in range(3)]
    frames = [from_rgb(rgb, index / 25, Colour()) for index, rgb in enumerate(moderate)]
    out = tmp_path / "out"
    with open_writer(f"{out}/", *size, Fraction(25), Colour()) as writer:
        for frame in frames:
            writer.write(frame)
    assert sorted(path.name for path in out.iterdir()) == ["00000.png", "00001.png", "00002.png"]
    for frame, back in zip(frames, open_video(out), strict=True):
        for plane in "yuv":
            assert np.abs(getattr(frame, plane).astype(int) - getattr(back, plane)).mean() < 1


def test_list_clips(tmp_path, encode, x264_clip):
    videos = tmp_path / "set"
    videos.mkdir()
    for name in ("b10.mp4", "b2.MP4", "cover.jpg", ".part.mp4"):
        (videos / name).write_bytes(x264_clip.read_bytes())
    assert list_clips(videos) == [str(videos / "b2.MP4"), str(videos / "b10.mp4")]
    frames = tmp_path / "frames" / "walk"
    frames.mkdir(parents=True)
    picture(frames / "1.png", encode, 10)
    assert list_clips(frames) == list_clips(tmp_path / "frames") == [str(frames)]
    x264_clip.unlink()
    assert list_clips(tmp_path) == [str(frames), str(videos / "b2.MP4"), str(videos / "b10.mp4")]
    assert list_clips(videos / "b10.mp4") == [str(videos / "b10.mp4")]
    assert list_clips("-") == ["-"]
    assert list_clips("/dev/video0") == ["/dev/video0"]
    assert list_clips("builtin:test/walk-00") == ["builtin:test/walk-00"]


def test_nothing_to_list(tmp_path):
    with pytest.raises(MediaError, match="no videos and no pictures"):
        list_clips(tmp_path)
    with pytest.raises(MediaError, match="no such file"):
        list_clips(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.mkdir(), "no pictures in this folder"),
    ],
)
def test_bad_sources(tmp_path, make, message):
    path = tmp_path / "source"
    make(path)
    with pytest.raises(MediaError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)


def test_names_that_no_file_has():
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(MediaError):
            open_video(name)
    with pytest.raises(MediaError, match="neither"):
        open_video("/dev/null")
