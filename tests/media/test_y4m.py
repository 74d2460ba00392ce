"""y4m: exact round trips, every depth, pipes, and hostile headers."""

import io
import os
import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from t4vcodec.media import Colour, MediaError, open_video, open_writer
from t4vcodec.media.y4m import MAX_LINE, frame_bytes, header_line, parse_header, read_pictures


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (16, 16), (2, 1), (31, 18)])
@pytest.mark.parametrize("colour", [Colour(), Colour("bt709", True), Colour("bt2020")], ids=repr)
def test_round_trip_is_exact(tmp_path, noise, size, colour):
    frames = [noise(*size, seed, seed / 30, colour) for seed in range(3)]
    path = tmp_path / "clip.y4m"
    with open_writer(path, *size, Fraction(30), colour) as writer:
        for frame in frames:
            writer.write(frame)
    video = open_video(path)
    assert (video.info.width, video.info.height, video.info.fps, video.info.frames) == (*size, 30, 3)
    assert video.info.colour == colour
    for _ in range(2):  # a file can be read again
        back = list(video)
        assert len(back) == 3
        for frame, other in zip(frames, back, strict=True):
            assert other.colour == colour
            assert other.time == pytest.approx(frame.time)
            for plane in "yuv":
                assert np.array_equal(getattr(frame, plane), getattr(other, plane))


def test_ffmpeg_reads_what_we_write(tmp_path, noise):
    import av

    frame = noise(6, 4)
    path = tmp_path / "clip.y4m"
    with open_writer(path, 6, 4, Fraction(25), Colour()) as writer:
        writer.write(frame)
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    assert (picture.format.name, int(picture.color_range)) == ("yuv420p", 1)
    assert np.array_equal(picture.to_ndarray()[:4], frame.y)


def test_header_line_is_what_the_parser_reads():
    header = parse_header(header_line(7, 5, Fraction(30000, 1001), Colour("bt2020", True)), "x")
    assert (header.width, header.height, header.fps) == (7, 5, Fraction(30000, 1001))
    assert (header.chroma, header.depth, header.colour) == ("420", 8, Colour("bt2020", True))


@pytest.mark.parametrize(
    ("tag", "chroma", "depth"),
    [
        ("420paldv", "420", 8),
        ("422", "422", 8),
        ("444p10", "444", 10),
        ("mono", "mono", 8),
        ("mono12", "mono", 12),
    ],
)
def test_formats(tag, chroma, depth):
    header = parse_header(f"YUV4MPEG2 W4 H4 F0:0 C{tag} XYSCSS=ANY".encode(), "x")
    assert (header.chroma, header.depth, header.fps) == (chroma, depth, 25)


@pytest.mark.parametrize("tag", ["420p10", "422p12", "444p16", "440", "mono", "mono10", "444"])
def test_other_formats_become_420_of_8_bits(tag):
    header = parse_header(f"YUV4MPEG2 W5 H3 F25:1 C{tag}\n".encode(), "x")
    scale = 1 << (header.depth - 8)
    data = b"FRAME Ip\n"
    for level, (rows, columns) in zip((50, 60, 70), header.plane_shapes()):
        plane = np.full((rows, columns), level * scale, "<u2" if header.depth > 8 else "u1")
        data += plane.tobytes()
    (frame,) = read_pictures(io.BytesIO(data), header, "x")
    assert (frame.y == 50).all()
    assert (frame.u == (128 if header.chroma == "mono" else 60)).all()
    assert (frame.v == (128 if header.chroma == "mono" else 70)).all()


def test_high_bit_depth_is_rounded_and_clipped():
    header = parse_header(b"YUV4MPEG2 W4 H1 F25:1 Cmono10\n", "x")
    data = b"FRAME\n" + np.array([0, 5, 6, 1023], "<u2").tobytes()
    (frame,) = read_pictures(io.BytesIO(data), header, "x")
    assert frame.y.tolist() == [[0, 1, 2, 255]]


def stream_of(frames, fps=25) -> bytes:
    first = frames[0]
    return header_line(first.width, first.height, Fraction(fps), first.colour) + b"".join(
        map(frame_bytes, frames)
    )


@pytest.mark.parametrize("cut", [1, 3, 50])
def test_cut_off_file_gives_its_whole_pictures(tmp_path, noise, cut):
    path = tmp_path / "cut.y4m"
    path.write_bytes(stream_of([noise(8, 8, seed) for seed in range(3)])[:-cut])
    assert len(list(open_video(path))) == open_video(path).info.frames == 2


def test_cut_within_the_frame_line(tmp_path, noise):
    path = tmp_path / "cut.y4m"
    path.write_bytes(stream_of([noise(8, 8)]) + b"FRA")
    assert len(list(open_video(path))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not y4m at all", "does not begin with YUV4MPEG2"),
        (b"YUV4MPEG2 W8 H8 F25:1\n", "no whole picture"),
        (b"YUV4MPEG2 W8 H8 F25:1\nFRAME\n123", "no whole picture"),
        (b"YUV4MPEG2 W8 H8 F25:1\nGARBAGE\n" + bytes(99), "no FRAME line"),
        (b"YUV4MPEG2 W8 F25:1\nFRAME\n", "size or rate"),
        (b"YUV4MPEG2 W-8 H8 F25:1\nFRAME\n", "size or rate"),
        (b"YUV4MPEG2 W0 H8 F25:1\nFRAME\n", "0x8 is outside"),
        (b"YUV4MPEG2 W9000 H8 F25:1\nFRAME\n", "9000x8 is outside of 1x1 to 8192x8192"),
        (b"YUV4MPEG2 W8 H8 F25:1 C444alpha\nFRAME\n", "'444alpha' is not read"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "bad.y4m"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=message) as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


def test_damage_after_a_picture_is_reported_there(tmp_path, noise):
    path = tmp_path / "bad.y4m"
    path.write_bytes(stream_of([noise(8, 8)]) + b"WRONG\n")
    frames = iter(open_video(path))
    next(frames)
    with pytest.raises(MediaError, match="after 1 pictures"):
        next(frames)


@pytest.fixture
def piped(monkeypatch):
    """Puts bytes on standard input."""

    def pipe(data: bytes):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return pipe


def test_standard_input_is_read_once(piped, noise):
    piped(stream_of([noise(5, 7, seed) for seed in range(4)], fps=10))
    with open_video("-", max_frames=3) as video:
        assert (video.info.name, video.info.frames, video.info.sha256) == ("stdin", None, None)
        assert [frame.time for frame in video] == [0.0, 0.1, 0.2]
        with pytest.raises(MediaError, match="read once"):
            iter(video)


def test_empty_standard_input(piped):
    piped(b"")
    with pytest.raises(MediaError, match="stdin: not a y4m stream"):
        open_video("-")


def test_named_pipe(tmp_path, noise):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = stream_of([noise(8, 8, seed) for seed in range(2)])
    feeder = threading.Thread(target=path.write_bytes, args=(data,))
    feeder.start()
    with open_video(path) as video:
        assert len(list(video)) == 2
    feeder.join()


def test_standard_output(capfdbinary, noise):
    frame = noise(4, 4)
    with open_writer("-", 4, 4, Fraction(25), Colour()) as writer:
        writer.write(frame)
    assert capfdbinary.readouterr().out == stream_of([frame])


WORDS = st.one_of(
    st.sampled_from(
        [b"W4", b"H4", b"F25:1", b"F1:0", b"C420", b"C444p10", b"XCOLORRANGE=FULL", b"X", b"A1:1"]
    ),
    st.binary(max_size=12),
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=64), st.lists(WORDS, max_size=8).map(lambda w: b" ".join([b"YUV4MPEG2", *w]))
    )
)
@example("YUV4MPEG2 W٣ H4 F25:1".encode())
@example(b"YUV4MPEG2 W" + b"9" * 900 + b" H1 F25:1")
def test_any_header_is_read_or_refused(line: bytes):
    try:
        header = parse_header(line, "x")
    except MediaError:
        return
    assert 1 <= header.width <= 8192
    assert header.fps > 0
    assert 8 <= header.depth <= 16


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_body_gives_frames_or_a_media_error(body: bytes):
    header = parse_header(b"YUV4MPEG2 W2 H2 F25:1\n", "x")
    try:
        frames = list(read_pictures(io.BytesIO(b"FRAME\n123456FRAME" + body), header, "x"))
    except MediaError:
        return
    assert 1 <= len(frames) <= 2 + len(body) // 12


def test_header_without_line_feed_is_bounded(tmp_path):
    path = tmp_path / "long.y4m"
    path.write_bytes(b"YUV4MPEG2 W2 H2 F25:1 X" + b"a" * 4 * MAX_LINE)
    with pytest.raises(MediaError, match="no FRAME line"):
        open_video(path)
