"""Where pictures go: constant rates, slow and failing writers, windows."""

import threading
from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.live import output as outputs
from t4vcodec.live.output import STANDS, FileOutput, WindowOutput, open_output
from t4vcodec.media import Frame, MediaError, open_video
from t4vcodec.network.live.udp import LiveError

FPS = Fraction(10)


def grey(value: int, time: float) -> Frame:
    chroma = np.full((8, 8), 128, np.uint8)
    return Frame(np.full((16, 16), value, np.uint8), chroma, chroma, time)


def written(path, times):
    """First samples of the pictures of a file that was given one at each time, 0, 1, 2 and so on."""
    output = FileOutput(str(path))
    for value, time in enumerate(times):
        output.show(grey(16 + value, time), FPS)
    output.close()
    return [int(frame.y[0, 0]) - 16 for frame in open_video(path)]


def test_a_y4m_file_has_a_constant_rate(tmp_path):
    assert written(tmp_path / "a.y4m", [0.0, 0.1, 0.4, 0.5, 0.5, 0.61]) == [0, 1, 1, 1, 2, 3, 5]


def test_a_long_silence_is_left_out(tmp_path):
    assert written(tmp_path / "a.y4m", [0.0, STANDS + 1.0, STANDS + 1.2]) == [0, 1, 1, 2]


def test_an_mp4_keeps_times(tmp_path):
    written(tmp_path / "a.mp4", [0.0, 0.1, 0.4])
    assert [frame.time for frame in open_video(tmp_path / "a.mp4")] == pytest.approx([0.0, 0.1, 0.4])


def test_nothing_is_there_before_the_end_and_nothing_after_a_failure(tmp_path):
    output = FileOutput(str(tmp_path / "a.mp4"))
    output.show(grey(50, 0.0), FPS)
    assert not (tmp_path / "a.mp4").exists()
    output.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.xyz", "missing/a.mp4"])
def test_a_place_that_can_not_be_written_is_refused_at_once(tmp_path, name):
    with pytest.raises(MediaError):
        FileOutput(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_slow_writer_holds_nobody_up(tmp_path, monkeypatch):
    gate = threading.Event()
    output = FileOutput(str(tmp_path / "a.y4m"))
    monkeypatch.setattr(FileOutput, "_write", lambda self, fps: gate.wait(30))
    for i in range(outputs.WAITING + 7):
        output.show(grey(16, i / 10), FPS)
    assert output.left_out == 7
    gate.set()
    output._waiting.get()
    output.discard()


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    output = FileOutput(str(tmp_path / "a.y4m"))
    output.show(grey(16, 0.0), FPS)

    def full(frame):
        raise MediaError("a.y4m: cannot be written: No space left on device")

    output._writer.write = full
    for i in range(1, 3):
        output.show(grey(16, i / 10), FPS)
    with pytest.raises(MediaError, match="No space left"):
        output.close()
    output.discard()
    assert list(tmp_path.iterdir()) == []


def test_no_screen_is_said(monkeypatch):
    pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", "no.such.host.invalid:77")
    with pytest.raises(LiveError, match="no screen for a window"):
        open_output("window")


def test_a_window_shows_pictures(monkeypatch):
    tkinter = pytest.importorskip("tkinter")
    made = []

    class Thing:
        def __init__(self, *arguments, **settings):
            made.append(settings)

        def __getattr__(self, name):
            return lambda *arguments, **settings: None

    for name in ("Tk", "Label", "PhotoImage"):
        monkeypatch.setattr(tkinter, name, type(name, (Thing,), {}))
    window = WindowOutput()
    window.show(grey(128, 0.0), FPS)
    assert made[-1]["data"].startswith(b"P6 16 16 255 ")
    assert len(made[-1]["data"]) == 13 + 3 * 256
    assert not window.closed
    window._leave()
    assert window.closed
    window.close()
