"""What PyAV opens: sizes, times, colours, rotation, damage."""

import gc
import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from t4vcodec.media import Colour, MediaError, from_rgb, open_video
from t4vcodec.media.containers import open_live

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "codec-test"


def test_facts_and_second_reading(x264_clip):
    video = open_video(x264_clip)
    info = video.info
    assert (info.name, info.width, info.height, info.fps, info.frames) == ("clip", 64, 48, 25, 12)
    assert len(info.sha256) == 64
    first, second = list(video), list(video)
    assert len(first) == len(second) == 12
    assert [frame.time for frame in first] == pytest.approx([i / 25 for i in range(12)])
    assert all(np.array_equal(a.y, b.y) for a, b in zip(first, second, strict=True))
    assert first[0].y.flags.writeable
    assert first[0].y.flags.c_contiguous


def test_max_frames(x264_clip):
    video = open_video(x264_clip, max_frames=5)
    assert video.info.frames == len(list(video)) == 5
    assert open_video(x264_clip, max_frames=99).info.frames == 12
    with pytest.raises(MediaError, match="0 frames asked for"):
        open_video(x264_clip, max_frames=0)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 7), (4, 1), (33, 18)])
def test_odd_sizes_keep_their_samples(tmp_path, noise, encode, width, height):
    frame = noise(width, height)
    path = encode(tmp_path / "odd.nut", [[frame.y, frame.u, frame.v]] * 2, codec="rawvideo")
    for back in open_video(path):
        assert all(np.array_equal(getattr(frame, plane), getattr(back, plane)) for plane in "yuv")


@pytest.mark.parametrize("full", [False, True])
def test_colour_is_read_and_samples_stay(tmp_path, noise, encode, full):
    def tag(stream):
        stream.codec_context.colorspace = 9
        stream.codec_context.color_range = 2 if full else 1

    frame = noise(16, 16)
    path = encode(
        tmp_path / "c.mkv",
        [[frame.y, frame.u, frame.v]],
        prepare=tag,
        options={"qp": "0", "preset": "ultrafast"},
    )
    (back,) = open_video(path)
    assert back.colour == open_video(path).info.colour == Colour("bt2020", full)
    assert np.array_equal(back.y, frame.y)
    assert np.array_equal(back.u, frame.u)


@pytest.mark.parametrize("full", [False, True])
def test_ten_bits_are_rounded_and_keep_their_range(tmp_path, encode, full):
    def tag(stream):
        stream.codec_context.color_range = 2 if full else 1

    y = np.repeat(np.uint16([[64, 256, 502, 940]]), 4, axis=0)
    c = np.uint16([[64, 512], [960, 300]])
    path = encode(
        tmp_path / "ten.mkv", [[y, c, c]], "yuv420p10le", "ffv1", prepare=tag, options={"level": "3"}
    )
    (back,) = open_video(path)
    assert back.colour == Colour("bt601", full)
    assert np.abs(back.y.astype(float) - y / 4).max() <= 1
    assert np.abs(back.u.astype(float) - c / 4).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "rows", "columns"), [("yuv444p", 5, 7), ("yuv422p", 5, 4), ("yuv440p", 3, 7)]
)
def test_denser_chroma_is_averaged(tmp_path, encode, pixels, rows, columns):
    y = np.full((5, 7), 90, np.uint8)
    u, v = (np.full((rows, columns), level, np.uint8) for level in (50, 200))
    path = encode(tmp_path / "dense.nut", [[y, u, v]], pixels, "rawvideo")
    (back,) = open_video(path)
    assert back.u.shape == (3, 4)
    assert (back.y == 90).all()
    assert (back.u == 50).all()
    assert (back.v == 200).all()


def test_rgb_and_grey(tmp_path, encode):
    rgb = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    (back,) = open_video(encode(tmp_path / "rgb.png", [[rgb]], "rgb24", "png", format="image2"))
    wanted = from_rgb(rgb, 0.0, Colour())
    assert all(np.array_equal(getattr(wanted, plane), getattr(back, plane)) for plane in "yuv")
    grey = rgb[..., 0].copy()
    (back,) = open_video(encode(tmp_path / "grey.png", [[grey]], "gray", "png", format="image2"))
    assert np.array_equal(back.y, grey)
    assert (back.u == 128).all()
    assert back.colour.full_range


def test_variable_rate(tmp_path, noise, encode):
    times = [0.0, 0.04, 0.5, 0.52, 1.1]
    frames = [noise(32, 32, seed) for seed in range(5)]
    path = encode(tmp_path / "vfr.mp4", [[f.y, f.u, f.v] for f in frames], times=times)
    video = open_video(path)
    assert [frame.time for frame in video] == pytest.approx(times, abs=1e-3)
    assert 3 < video.info.fps < 6
    assert isinstance(video.info.fps, Fraction)


def test_times_begin_at_zero(tmp_path, noise, encode):
    frames = [noise(32, 32, seed) for seed in range(3)]
    path = encode(tmp_path / "late.mkv", [[f.y, f.u, f.v] for f in frames], times=[5.0, 5.04, 5.08])
    assert [frame.time for frame in open_video(path)] == pytest.approx([0.0, 0.04, 0.08], abs=2e-3)


def test_elementary_stream_without_times(tmp_path, noise, encode):
    frames = [noise(32, 32, seed) for seed in range(4)]
    path = encode(tmp_path / "bare.h264", [[f.y, f.u, f.v] for f in frames], format="h264")
    times = [frame.time for frame in open_video(path)]
    assert len(times) == 4
    assert all(math.isfinite(time) for time in times)
    assert all(b > a for a, b in pairwise(times))


@pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV cannot write rotated files"
)
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_rotation_is_applied(tmp_path, encode, degrees):
    y = np.arange(16, 16 + 8 * 6, dtype=np.uint8).reshape(6, 8)
    u, v = (np.arange(start, start + 12, dtype=np.uint8).reshape(3, 4) for start in (60, 160))
    path = encode(
        tmp_path / "turned.mp4",
        [[y, u, v]],
        prepare=lambda stream: stream.set_display_rotation(degrees),
        options={"qp": "0"},
    )
    video = open_video(path)
    (back,) = video
    for plane, samples in zip((back.y, back.u, back.v), (y, u, v), strict=True):
        assert np.array_equal(plane, np.rot90(samples, degrees // 90))
    assert (video.info.height, video.info.width) == back.y.shape


def test_photo_turned_by_exif(tmp_path):
    image = pytest.importorskip("PIL.Image")
    ops = pytest.importorskip("PIL.ImageOps")
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:8, :8] = 255
    for orientation in (1, 3, 6, 8):
        exif = image.Exif()
        exif[0x112] = orientation
        path = tmp_path / f"{orientation}.jpg"
        image.fromarray(pixels).save(path, exif=exif, quality=100)
        (back,) = open_video(path)
        with image.open(path) as photo:
            assert np.abs(np.asarray(ops.exif_transpose(photo)).astype(int) - back.y).max() <= 1


def test_size_that_changes_is_refused(tmp_path, noise, encode):
    small, large = (
        encode(
            tmp_path / f"{w}.h264", [[f.y, f.u, f.v] for f in (noise(w, 32), noise(w, 32, 1))], format="h264"
        )
        for w in (32, 48)
    )
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = iter(open_video(both))
    assert next(frames).width == 32
    with pytest.raises(MediaError, match="changes from 32x32 to 48x32"):
        list(frames)


def test_cut_off_file_gives_what_decodes(tmp_path, x264_clip):
    data = x264_clip.read_bytes()
    stream = tmp_path / "whole.ts"
    with av.open(str(x264_clip)) as source, av.open(str(stream), "w") as target:
        out = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = out
                target.mux(packet)
    whole = stream.read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole[: len(whole) // 2])
    assert 1 <= len(list(open_video(cut))) < 12
    headless = tmp_path / "cut.mp4"
    headless.write_bytes(data[: len(data) // 2])  # the index of an MP4 file stands at its end
    with pytest.raises(MediaError, match="cannot be opened"):
        open_video(headless)


def test_overwritten_middle_is_survived(tmp_path, x264_clip):
    data = bytearray(x264_clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    path = tmp_path / "hurt.mp4"
    path.write_bytes(data)
    assert 1 <= len(list(open_video(path))) <= 12


def test_sound_only(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(MediaError, match="no video in it"):
        open_video(path)


def test_no_pictures_in_a_video_file(tmp_path, x264_clip):
    path = tmp_path / "none.mkv"
    with av.open(str(x264_clip)) as source, av.open(str(path), "w") as target:
        target.add_stream_from_template(source.streams.video[0])
        target.start_encoding()
    with pytest.raises(MediaError, match=r"no picture in it can be decoded|cannot be opened"):
        open_video(path)


@pytest.mark.parametrize("name", ["x.mp4", "x.txt", "x.bin", "x"])
@pytest.mark.parametrize("content", [b"hello world\n" * 100, bytes(range(256)) * 40, bytes(5000)])
def test_garbage(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_large(tmp_path, encode):
    wide = np.zeros((2, 8194), np.uint8)
    path = encode(tmp_path / "wide.png", [[wide]], "gray", "png", format="image2")
    with pytest.raises(MediaError, match="8194x2 is outside of 1x1 to 8192x8192"):
        open_video(path)


def test_file_names_are_not_patterns_or_protocols(tmp_path, x264_clip):
    for name in ("a:b.mp4", "50%d.mp4", "ü b.mp4"):
        path = x264_clip.rename(tmp_path / name)
        x264_clip = path
        assert open_video(path).info.frames == 12


def test_file_with_a_second_data_stream():
    path = DATA / "dog-720p-00.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} of the shared test clips")
    video = open_video(path, max_frames=3)
    assert (video.info.width, video.info.height, len(list(video))) == (1280, 720, 3)


def test_camera_that_is_not_there():
    with pytest.raises(MediaError, match="no such camera"):
        open_video("/dev/video987")


def test_live_source_is_read_once_and_closed(x264_clip):
    """A file in the place of a camera, which no test machine has."""
    with open_live(str(x264_clip), "/dev/video3") as video:
        gc.collect()
        assert (video.info.name, video.info.frames, video.info.sha256) == ("video3", None, None)
        assert len(list(video)) == 12
        with pytest.raises(MediaError, match="read once"):
            iter(video)
    with open_live(str(x264_clip), "/dev/video3").first(2) as video:
        assert len(list(video)) == 2
