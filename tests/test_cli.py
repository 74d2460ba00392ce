"""The command line: the way of a clip through it, and that each bad input ends in one line."""

import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner
from t4vcodec.cli import main
from t4vcodec.media import open_video, open_writer
from t4vcodec.media.rendered import render_clip

FRAMES = 5


def run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], prog_name="t4vcodec")


def refused(*arguments, out=None):
    """The one line that a command which must fail says; nothing is left beside `out`."""
    before = sorted(p.name for p in out.parent.iterdir()) if out is not None and out.parent.is_dir() else None
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("t4vcodec: ")
    assert "Traceback" not in result.output
    if before is not None:
        assert sorted(p.name for p in out.parent.iterdir()) == before
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def clip(folder):
    """A tiny clip of odd size."""
    path = folder / "clip.y4m"
    frames = list(render_clip("wave", 0, "val", 98, 66, 25, FRAMES))
    with open_writer(path, 98, 66, Fraction(25), frames[0].colour) as writer:
        for frame in frames:
            writer.write(frame)
    return path


@pytest.fixture(scope="module")
def coded(folder, clip):
    path = folder / "clip.t4v"
    result = run("encode", clip, path, "--kbps", 120)
    assert result.exit_code == 0, result.output
    assert f"{FRAMES} frames of 98x66" in result.output
    return path


class TestWay:
    @pytest.mark.parametrize("name", ["seen.mp4", "seen.y4m", "seen"])
    def test_decode_with_loss_keeps_size_and_number(self, coded, tmp_path, name):
        result = run("decode", coded, tmp_path / name, "--loss", "0.3", "--seed", "1")
        assert result.exit_code == 0, result.output
        assert " lost" in result.output
        video = open_video(tmp_path / name)
        assert (video.info.width, video.info.height) == (98, 66)
        assert sum(1 for _ in video) == FRAMES

    def test_decode_without_loss_is_close_to_the_source(self, clip, coded, tmp_path):
        assert run("decode", coded, tmp_path / "seen.y4m").exit_code == 0
        for a, b in zip(open_video(clip), open_video(tmp_path / "seen.y4m"), strict=True):
            assert np.square(a.y.astype(float) - b.y).mean() < 300
            assert a.time == pytest.approx(b.time)

    def test_same_seed_same_losses(self, coded, tmp_path):
        for name in ("a.y4m", "b.y4m"):
            run("decode", coded, tmp_path / name, "--loss", "ge:0.3:5", "--seed", 4)
        assert (tmp_path / "a.y4m").read_bytes() == (tmp_path / "b.y4m").read_bytes()

    def test_info(self, coded):
        result = run("info", coded)
        assert result.exit_code == 0, result.output
        for word in (
            "98x66",
            "t4v-classic",
            "kbit/s",
            "types",
            "motion",
            "luma",
            "chroma",
            "copies",
            "headers",
        ):
            assert word in result.output
        shares = [float(line.split()[1]) for line in result.output.splitlines() if line.endswith("%")]
        assert sum(shares) == pytest.approx(100, abs=0.5)

    def test_quality_resilience_frames_and_default_rate(self, clip, tmp_path):
        fine, coarse = tmp_path / "fine.t4v", tmp_path / "coarse.t4v"
        assert run("encode", clip, fine, "--quality", 20, "--resilience", 0, "--frames", 2).exit_code == 0
        assert run("encode", clip, coarse, "--quality", 40, "--resilience", 0, "--frames", 2).exit_code == 0
        assert fine.stat().st_size > coarse.stat().st_size
        result = run("encode", clip, tmp_path / "usual.t4v", "--frames", 2)
        assert "2 frames" in result.output

    def test_one_sample(self, tmp_path):
        (tmp_path / "dot.y4m").write_bytes(b"YUV4MPEG2 W1 H1 F25:1 C420\n" + 3 * b"FRAME\n\x80\x80\x80")
        result = run("encode", tmp_path / "dot.y4m", tmp_path / "dot.t4v")
        assert result.exit_code == 0, result.output
        assert run("decode", tmp_path / "dot.t4v", tmp_path / "seen.y4m").exit_code == 0
        assert [f.y.shape for f in open_video(tmp_path / "seen.y4m")] == 3 * [(1, 1)]

    def test_damaged_file_is_decoded_with_a_warning(self, coded, tmp_path):
        cut, flipped = tmp_path / "cut.t4v", tmp_path / "flipped.t4v"
        data = coded.read_bytes()
        cut.write_bytes(data[: len(data) - 40])
        result = run("decode", cut, tmp_path / "cut.y4m")
        assert result.exit_code == 0
        (line,) = result.stderr.splitlines()
        assert "warning" in line
        assert "ends early" in line
        assert sum(1 for _ in open_video(tmp_path / "cut.y4m")) == FRAMES - 1
        flipped.write_bytes(data[:-30] + bytes((data[-30] ^ 8,)) + data[-29:])
        result = run("decode", flipped, tmp_path / "flipped.y4m")
        assert result.exit_code == 0
        assert "damaged" in result.stderr
        assert sum(1 for _ in open_video(tmp_path / "flipped.y4m")) == FRAMES


def muxed(path, kind):
    """A file with an audio stream only, or with a video stream without frames."""
    with av.open(path, "w") as file:
        if kind == "audio":
            stream = file.add_stream("aac", rate=8000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate = 8000
            for packet in [*stream.encode(sound), *stream.encode(None)]:
                file.mux(packet)
        else:
            stream = file.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            file.start_encoding()


class TestBadVideos:
    def test_missing(self, tmp_path):
        line = refused("encode", tmp_path / "none.mp4", tmp_path / "x.t4v", out=tmp_path / "x.t4v")
        assert "none.mp4" in line

    def test_empty_and_noise(self, tmp_path):
        for name, data in (("empty.mp4", b""), ("noise.mp4", bytes(range(256)) * 20), ("text.y4m", b"hello")):
            (tmp_path / name).write_bytes(data)
            refused("encode", tmp_path / name, tmp_path / "x.t4v", out=tmp_path / "x.t4v")

    def test_truncated(self, clip, tmp_path):
        frames = list(open_video(clip))
        with open_writer(tmp_path / "whole.mp4", 98, 66, Fraction(25), frames[0].colour) as writer:
            for frame in frames:
                writer.write(frame)
        data = (tmp_path / "whole.mp4").read_bytes()
        (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
        refused("encode", tmp_path / "cut.mp4", tmp_path / "x.t4v", out=tmp_path / "x.t4v")

    @pytest.mark.parametrize(("kind", "name"), [("audio", "sound.mp4"), ("none", "none.mkv")])
    def test_audio_only_and_zero_frames(self, tmp_path, kind, name):
        muxed(tmp_path / name, kind)
        refused("encode", tmp_path / name, tmp_path / "x.t4v", out=tmp_path / "x.t4v")

    def test_8k(self, tmp_path):
        path = tmp_path / "large.y4m"
        with path.open("wb") as file:
            file.write(b"YUV4MPEG2 W7680 H4320 F25:1 C420\nFRAME\n")
            file.truncate(file.tell() + 7680 * 4320 * 3 // 2)  # zeros that take no room
        line = refused("encode", path, tmp_path / "x.t4v", out=tmp_path / "x.t4v")
        assert "7680x4320" in line


class TestBadFiles:
    def check(self, data, tmp_path, *words):
        path = tmp_path / "bad.t4v"
        path.write_bytes(data)
        for command in (["info", path], ["decode", path, tmp_path / "x.mp4"]):
            line = refused(*command, out=tmp_path / "x.mp4")
            assert all(word in line for word in words)

    def test_missing_and_empty(self, tmp_path):
        refused("decode", tmp_path / "none.t4v", tmp_path / "x.mp4", out=tmp_path / "x.mp4")
        self.check(b"", tmp_path, "empty")

    def test_head_cut_or_damaged(self, coded, tmp_path):
        data = coded.read_bytes()
        self.check(data[:20], tmp_path, "cut")
        self.check(data[:14] + b"\0" + data[15:], tmp_path, "damaged")

    def test_cut_before_the_first_frame(self, coded, tmp_path):
        data = coded.read_bytes()
        self.check(data[: data.index(b"\xf4FRM") + 9], tmp_path, "no whole frame")

    def test_version(self, coded, tmp_path):
        data = coded.read_bytes()
        self.check(data[:8] + b"\x09" + data[9:], tmp_path, "version 9")

    def test_model(self, coded, tmp_path):
        data = coded.read_bytes().replace(b"t4v-classic", b"t4v-unknown")
        end = 11 + struct.unpack_from(">H", data, 9)[0]
        data = data[:end] + zlib.crc32(data[:end]).to_bytes(4, "big") + data[end + 4 :]
        self.check(data, tmp_path, "t4v-unknown")


class TestBadUse:
    @pytest.mark.parametrize(
        "options",
        [
            ["--kbps", 100, "--quality", 20],
            ["--kbps", 0],
            ["--kbps", "many"],
            ["--kbps", "nan"],
            ["--quality", 64],
            ["--resilience", 0.9],
            ["--frames", 0],
            ["--model", "no-such-model"],
            ["--unknown"],
        ],
    )
    def test_encode_options(self, clip, tmp_path, options):
        refused("encode", clip, tmp_path / "x.t4v", *options, out=tmp_path / "x.t4v")

    def test_model_that_is_none(self, clip, tmp_path):
        (tmp_path / "model.safetensors").write_bytes(b"not a model")
        refused(
            "encode", clip, tmp_path / "x.t4v", "--model", tmp_path / "model.safetensors", out=tmp_path / "x"
        )

    def test_unwritable_output(self, clip, coded, tmp_path):
        refused("encode", clip, tmp_path / "no" / "x.t4v")
        refused("encode", clip, tmp_path / "x.mp4", out=tmp_path / "x.mp4")
        (tmp_path / "folder.t4v").mkdir()
        refused("encode", clip, tmp_path / "folder.t4v", out=tmp_path / "folder.t4v")
        refused("decode", coded, tmp_path / "no" / "x.mp4")
        refused("decode", coded, tmp_path / "x.unknown", out=tmp_path / "x.unknown")

    @pytest.mark.parametrize("loss", ["2", "", "ge:0.3", "none"])
    def test_channel(self, coded, tmp_path, loss):
        refused("decode", coded, tmp_path / "x.mp4", "--loss", loss, out=tmp_path / "x.mp4")

    def test_commands(self, tmp_path):
        refused("nothing")
        refused("encode")
        refused("train", "--train-loss", "2", "--out", tmp_path / "run")
        refused("train", "--only", "tables", "--steps", "3")
        refused("train", "--data", tmp_path / "none", "--out", tmp_path / "run")
        refused("train", "--only", "everything")
        refused("train", "--only", "tables", "--out", tmp_path / "no" / "x.safetensors")
        refused("eval", "--kbps", "100", "--points", "600")
        refused("eval", "--kbps", "100,many")
        refused("eval", "--data", tmp_path / "none", "--out", tmp_path / "out")
        assert "x264, x265, av1, vp9" in refused("eval", "--baselines", "x266", "--out", tmp_path / "out")
        refused("eval", "--profile", "half")
        refused("eval", "--rtt", "50")
        refused("eval", "--regime", "sessions", "--rtt", "50", "--report-delay", "4")
        for option, value in (("profile", "full"), ("redundancies", "1"), ("workers", 2), ("cluster", "a:1")):
            out = tmp_path / "sessions"
            line = refused("eval", "--regime", "sessions", f"--{option}", value, "--out", out)
            assert f"--{option} belongs to --regime one-way" in line
            assert not out.exists()
        assert "--frames" in refused("eval", "--frames", 5, "--clips", 1, "--out", tmp_path / "out")
        refused("bench", "--frames", "1")

    def test_a_codec_that_this_build_lacks(self, monkeypatch, tmp_path):
        import av

        codec = av.Codec

        def without_x265(name, mode):
            if name == "libx265":
                raise av.codec.codec.UnknownCodecError(name)
            return codec(name, mode)

        monkeypatch.setattr("t4vcodec.baselines.settings.av.Codec", without_x265)
        line = refused("eval", "--out", tmp_path / "out")
        assert "libx265" in line

    def test_reports_of_nothing(self, tmp_path):
        assert "no results.json" in refused("report", tmp_path)
        (tmp_path / ".cache").mkdir()
        assert "interrupted" in refused("report", tmp_path)
        (tmp_path / "results.json").write_text('{"schema": 99}')
        assert "schema 99" in refused("report", tmp_path)

    def test_an_interrupted_evaluation_says_how_to_go_on(self, monkeypatch, tmp_path):
        def stop(**_):
            raise KeyboardInterrupt

        monkeypatch.setattr("t4vcodec.eval.command.run_eval", stop)
        result = run("eval", "--out", tmp_path / "out")
        assert result.exit_code == 130
        assert "goes on where it stopped" in result.stderr

    def test_errors_of_the_system_are_one_line_too(self, monkeypatch, coded, tmp_path):
        def full(*_):
            raise OSError(28, "No space left on device", "x.t4v")

        monkeypatch.setattr("t4vcodec.codec.container.ContainerReader.__init__", full)
        assert "No space left on device" in refused("info", coded)

    def test_interrupt(self, monkeypatch, coded):
        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("t4vcodec.codec.container.ContainerReader.__init__", stop)
        result = run("info", coded)
        assert result.exit_code == 130
        assert result.stderr.splitlines()[-1] == "t4vcodec: interrupted"


def test_help_and_version():
    for command in ([], ["encode"], ["decode"], ["info"], ["eval"], ["report"], ["train"], ["bench"]):
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert "Usage: t4vcodec" in result.output
        assert all(len(line) <= 80 for line in result.output.splitlines())
    assert run("--version").output.startswith("t4vcodec ")


def test_a_reader_that_goes_away_is_no_error(coded):
    """As in `t4vcodec decode clip.t4v - | head -c 20`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "t4vcodec", "decode", coded, "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(coded).parent,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 1
