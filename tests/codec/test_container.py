"""`.t4v` files: round trip, cut anywhere, flipped bits, what is refused in words."""

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from t4vcodec.codec import Decoder, Encoder, Setup
from t4vcodec.codec.container import (
    MAGIC,
    ContainerError,
    ContainerReader,
    ContainerWriter,
    Damage,
    StoredFrame,
)
from t4vcodec.codec.models import ModelError
from t4vcodec.codec.playback import Playback
from t4vcodec.codec.stream_info import read_info
from t4vcodec.errors import T4VError
from t4vcodec.media.frames import Colour, Frame

SETUP = Setup(64, 48, Fraction(30000, 1001))
COLOUR = Colour("bt709", full_range=True)
FRAMES = 6
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def moving(count):
    canvas = np.random.default_rng(3).integers(40, 210, (12, 20)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    for i in range(count):
        y = np.ascontiguousarray(canvas[i : i + 48, 2 * i : 2 * i + 64])
        chroma = np.full((24, 32), 120 + i, np.uint8)
        # A variable rate: the times are not those of the frame rate.
        yield Frame(y, chroma, chroma, i * 0.04 + 0.001 * i * i, COLOUR)


@pytest.fixture(scope="module")
def encoded():
    encoder = Encoder(SETUP, quality=28, resilience=0.3, threads=1)
    return [(f.time, [bytes(p) for p in encoder.push(f)]) for f in moving(FRAMES)]


@pytest.fixture(scope="module")
def file(encoded, tmp_path_factory):
    path = tmp_path_factory.mktemp("container") / "clip.t4v"
    write(path, encoded)
    return path


def write(path, frames, setup=SETUP, colour=COLOUR):
    with ContainerWriter(path, setup, colour) as writer:
        for time, packets in frames:
            writer.write(time, packets)


def head_size(data):
    return 11 + struct.unpack_from(">H", data, 9)[0] + 4


def with_head(data, at, new):
    """The file with bytes of its head replaced and the head's check sum put right."""
    out = bytearray(data)
    out[at : at + len(new)] = new
    end = head_size(data) - 4
    out[end : end + 4] = zlib.crc32(out[:end]).to_bytes(4, "big")
    return bytes(out)


def test_round_trip(file, encoded):
    reader = ContainerReader(file)
    assert (reader.setup, reader.colour) == (SETUP, COLOUR)
    for _ in range(2):
        stored = list(reader)
        assert [list(f.packets) for f in stored] == [packets for _, packets in encoded]
        assert [f.time for f in stored] == pytest.approx([time for time, _ in encoded], abs=1e-6)
        assert reader.damage == Damage()
    assert [p.name for p in file.parent.iterdir()] == [file.name]


@same_folder
@given(
    frames=st.lists(
        st.tuples(st.integers(0, 10**12), st.lists(st.binary(max_size=1200), max_size=5)),
        min_size=1,
        max_size=5,
    ),
    size=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    fps=st.fractions(Fraction(1, 1000), 1000, max_denominator=100_000),
    matrix=st.sampled_from(["bt601", "bt709", "bt2020"]),
    full_range=st.booleans(),
)
def test_anything_that_is_written_is_read(tmp_path, frames, size, fps, matrix, full_range):
    path = tmp_path / "any.t4v"
    setup, colour = Setup(*size, fps), Colour(matrix, full_range)
    frames.sort(key=lambda f: f[0])
    write(path, [(micro / 1e6, packets) for micro, packets in frames], setup, colour)
    reader = ContainerReader(path)
    assert (reader.setup, reader.colour) == (setup, colour)
    assert list(reader) == [StoredFrame(i, m / 1e6, tuple(p)) for i, (m, p) in enumerate(frames)]
    assert reader.damage == Damage()


@same_folder
@given(data=st.data())
def test_cut_anywhere(file, encoded, tmp_path, data):
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / "cut.t4v"
    path.write_bytes(whole[:cut])
    if cut < head_size(whole):
        with pytest.raises(ContainerError) as error:
            ContainerReader(path)
        assert "\n" not in str(error.value)
        return
    reader = ContainerReader(path)
    stored = list(reader)
    assert reader.damage.truncated
    assert [list(f.packets) for f in stored] == [packets for _, packets in encoded[: len(stored)]]
    # Each frame that is whole is there.
    ends = []
    for frame in ContainerReader(file):
        packets = b"".join(frame.packets)
        ends.append(whole.index(packets) + len(packets))
    assert len(stored) == sum(end <= cut for end in ends)


@same_folder
@given(data=st.data())
def test_flipped_bits_never_do_more_than_lose(file, encoded, tmp_path, data):
    damaged = bytearray(file.read_bytes())
    start = head_size(damaged)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, len(damaged) - 1))
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "flipped.t4v"
    path.write_bytes(damaged)
    reader = ContainerReader(path)
    originals = [packets for _, packets in encoded]
    for frame in reader:
        for got, sent in zip(frame.packets, originals[frame.number]):
            assert len(got) == len(sent)
    assert reader.damage is not None


def test_flipped_bit_in_a_packet_loses_that_packet(file, encoded, tmp_path):
    data = bytearray(file.read_bytes())
    victim = encoded[2][1][0]
    data[data.index(victim) + len(victim) - 1] ^= 4
    path = tmp_path / "flipped.t4v"
    path.write_bytes(data)
    playback = Playback(ContainerReader(path))
    shown = list(playback)
    assert (len(shown), playback.damaged, playback.lost) == (FRAMES, 1, 0)
    decoder = Decoder(SETUP)
    for i, (_, packets) in enumerate(encoded):
        (expected,) = [*decoder.push([p for p in packets if p is not victim]), *decoder.close(i)]
        assert np.array_equal(shown[i].y, expected.y)


def test_damaged_record_loses_its_frame_only(file, encoded, tmp_path):
    data = bytearray(file.read_bytes())
    record = data.index(b"\xf4FRM", data.index(encoded[2][1][0]))
    data[record + 7] ^= 1
    path = tmp_path / "record.t4v"
    path.write_bytes(data)
    reader = ContainerReader(path)
    assert [f.number for f in reader] == [0, 1, 2, 4, 5]
    assert not reader.damage.truncated
    assert reader.damage.skipped > 0
    playback = Playback(reader)
    shown = list(playback)
    assert len(shown) == playback.frames == FRAMES
    times = [f.time for f in shown]
    assert times == sorted(times)
    assert times[3] == pytest.approx((times[2] + times[4]) / 2)


def test_last_frames_are_shown_though_their_records_are_damaged(file, encoded, tmp_path):
    data = bytearray(file.read_bytes())
    data[data.rindex(b"\xf4FRM") + 7] ^= 1
    path = tmp_path / "last.t4v"
    path.write_bytes(data)
    assert len(list(Playback(ContainerReader(path)))) == FRAMES


def test_a_forged_frame_number_makes_no_pictures(file, tmp_path):
    data = bytearray(file.read_bytes())
    record = data.rindex(b"\xf4FRM")
    struct.pack_into(">I", data, record + 4, 4_000_000_000)
    size = 17 + 2 * data[record + 16]
    data[record + size : record + size + 4] = zlib.crc32(data[record : record + size]).to_bytes(4, "big")
    path = tmp_path / "forged.t4v"
    path.write_bytes(data)
    assert len(list(ContainerReader(path))) == FRAMES


def test_playback_of_everything_is_the_decoder(file, encoded):
    decoder = Decoder(SETUP)
    expected = [frame for _, packets in encoded for frame in decoder.push(packets)]
    playback = Playback(ContainerReader(file))
    shown = list(playback)
    assert all(np.array_equal(a.y, b.y) and np.array_equal(a.u, b.u) for a, b in zip(shown, expected))
    assert [f.time for f in shown] == pytest.approx([time for time, _ in encoded], abs=1e-6)
    assert {f.colour for f in shown} == {COLOUR}
    assert playback.packets == sum(len(packets) for _, packets in encoded)


def test_playback_through_a_channel_shows_every_frame(file):
    playback = Playback(ContainerReader(file), lambda time: False)
    assert len(list(playback)) == FRAMES
    assert playback.lost == playback.packets > 0


def test_info_counts_what_the_encoder_counted(encoded, file):
    encoder = Encoder(SETUP, quality=28, resilience=0.3, threads=1)
    bits = dict.fromkeys(("types", "motion", "luma", "chroma", "copies"), 0.0)
    for frame in moving(FRAMES):
        encoder.push(frame)
        for part in bits:
            bits[part] += encoder.stats.bits[part]
    info = read_info(ContainerReader(file))
    assert {part: info.bits[part] for part in bits} == pytest.approx(bits, rel=1e-6)
    assert (info.frames, info.packets, info.damaged) == (FRAMES, sum(len(p) for _, p in encoded), 0)
    assert sum(info.shares.values()) == pytest.approx(1)
    assert info.payload + 8 * info.packets == sum(len(p) for _, packets in encoded for p in packets)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"RIFF" + bytes(100), "no .t4v file"),
        (MAGIC, "cut"),
        (MAGIC[:4], "cut"),
        (MAGIC + b"\x07" + bytes(60), "version 7"),
        (MAGIC + b"\x01\xff\xff" + bytes(60), "damaged"),
    ],
)
def test_what_is_no_file_of_ours(tmp_path, data, words):
    path = tmp_path / "bad.t4v"
    path.write_bytes(data)
    with pytest.raises(ContainerError, match=words) as error:
        ContainerReader(path)
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.t4v", tmp_path):
        with pytest.raises(ContainerError):
            ContainerReader(path)


def test_flipped_bit_in_the_head(file, tmp_path):
    data = file.read_bytes()
    path = tmp_path / "head.t4v"
    for at in range(head_size(data)):
        broken = bytearray(data)
        broken[at] ^= 16
        path.write_bytes(broken)
        with pytest.raises(ContainerError):
            ContainerReader(path)


def test_unknown_model_and_other_tables_of_the_same_name(file, tmp_path):
    data = file.read_bytes()
    path = tmp_path / "model.t4v"
    name = data.index(b"t4v-classic")
    path.write_bytes(with_head(data, name, b"t4v-plastic"))
    with pytest.raises(ModelError, match="t4v-plastic"):
        ContainerReader(path)
    path.write_bytes(with_head(data, name - 4, b"abcd"))
    with pytest.raises(ContainerError, match="another model"):
        ContainerReader(path)


def test_size_out_of_range_in_the_head(file, tmp_path):
    path = tmp_path / "size.t4v"
    path.write_bytes(with_head(file.read_bytes(), 11, b"\xff\xff"))
    with pytest.raises(T4VError, match="65535"):
        ContainerReader(path)


class TestWriter:
    def test_leaves_nothing_when_it_fails(self, tmp_path, encoded):
        path = tmp_path / "new.t4v"

        def fail():
            with ContainerWriter(path, SETUP) as writer:
                writer.write(0.0, encoded[0][1])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert list(tmp_path.iterdir()) == []

    def test_keeps_what_was_there_when_it_fails(self, tmp_path, encoded):
        path = tmp_path / "old.t4v"
        path.write_bytes(b"before")
        with pytest.raises(ContainerError), ContainerWriter(path, SETUP) as writer:
            writer.write(float("nan"), encoded[0][1])
        assert path.read_bytes() == b"before"
        assert list(tmp_path.iterdir()) == [path]

    def test_without_frames(self, tmp_path):
        with pytest.raises(ContainerError, match="no frames"), ContainerWriter(tmp_path / "none.t4v", SETUP):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_unwritable(self, tmp_path):
        for path in (tmp_path / "no" / "folder.t4v", tmp_path):
            with pytest.raises(ContainerError):
                ContainerWriter(path, SETUP)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
    def test_disk_full(self, tmp_path, encoded, monkeypatch):
        writer = ContainerWriter(tmp_path / "full.t4v", SETUP)
        with open("/dev/full", "wb") as full:
            writer._file.close()
            monkeypatch.setattr(writer, "_file", full)
            for _ in range(1000):
                try:
                    writer.write(0.0, encoded[0][1])
                except ContainerError as error:
                    assert "No space left" in str(error)  # noqa: PT017 (which write fails depends on buffers)
                    break
            else:
                pytest.fail("a full disk was not noticed")
        assert list(tmp_path.iterdir()) == []

    def test_too_large_packets(self, tmp_path):
        with pytest.raises(ContainerError), ContainerWriter(tmp_path / "x.t4v", SETUP) as writer:
            writer.write(0.0, [bytes(1201)])
