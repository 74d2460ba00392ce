"""VMAF where the extra is installed, nothing where it is not."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.eval import vmaf as module
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.vmaf import vmaf, vmaf_version
from t4vcodec.media.frames import Frame

FPS = Fraction(25)


def clip(width=96, height=64, count=5, noise=0):
    random = np.random.default_rng(2)
    y, x = np.mgrid[:height, :width]
    grey = np.full(((height + 1) // 2, (width + 1) // 2), 128, np.uint8)
    found = []
    for n in range(count):
        plane = 128 + 60 * np.sin((x + 2 * n) / 5) * np.cos(y / 7) + random.normal(0, 1, x.shape) * noise
        found.append(Frame(np.clip(plane, 0, 255).astype(np.uint8), grey, grey, n / 25))
    return found


@pytest.fixture
def forget():
    """The extra is looked for once a process."""
    module._ffmpeg.cache_clear()
    yield
    module._ffmpeg.cache_clear()


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_without_the_extra_there_is_no_number(forget, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert vmaf(clip(), clip(), FPS) is None
    assert vmaf_version() is None


def test_measured(forget, temporary):
    pytest.importorskip("imageio_ffmpeg")
    source = clip()
    same, noisy = vmaf(source, source, FPS), vmaf(source, clip(noise=20), FPS)
    assert same > 90 > noisy > 0
    assert vmaf(source, clip(noise=20), FPS) == noisy
    assert vmaf_version()
    assert list(temporary.iterdir()) == []


def test_too_small_for_its_scales(forget):
    pytest.importorskip("imageio_ffmpeg")
    assert vmaf(clip(24, 24), clip(24, 24), FPS) is None


def test_a_program_that_fails_is_named(temporary, monkeypatch):
    for program, said in (("/bin/false", "/bin/false"), ("/nowhere/ffmpeg", "No such file")):
        monkeypatch.setattr(module, "_ffmpeg", lambda program=program: program)
        with pytest.raises(EvalError, match=said):
            vmaf(clip(), clip(), FPS)
    assert list(temporary.iterdir()) == []


def test_clips_must_fit():
    with pytest.raises(ValueError, match="one length"):
        vmaf(clip(), clip(count=4), FPS)
    with pytest.raises(ValueError, match="one size"):
        vmaf(clip(), clip(width=98), FPS)
    with pytest.raises(ValueError, match="one length"):
        vmaf([], [], FPS)
