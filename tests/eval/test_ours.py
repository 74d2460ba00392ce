"""The codec through the evaluation's protocols, and the yardstick on a real clip."""

from pathlib import Path

import pytest
from t4vcodec.baselines.reference import ReferenceCurve
from t4vcodec.eval.clips import load_clip
from t4vcodec.eval.metrics import score
from t4vcodec.eval.ours import T4VScheme
from t4vcodec.eval.protocol import play, record
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.network.channels import parse_channel
from toy_scheme import moving_clip

CLIP = moving_clip(frames=6)
FOREMAN = Path(__file__).parents[2].parent / "shared" / "data" / "codec-test" / "foreman-cif-00.mp4"


@pytest.fixture(scope="module")
def recording():
    return record(T4VScheme().stream(CLIP, 150), CLIP.frames)


@pytest.mark.parametrize("loss", ["0", "0.3", "1"])
def test_a_picture_for_every_frame(recording, loss):
    outcome = play(recording, T4VScheme().receiver(CLIP), CLIP, parse_channel(loss), 0)
    assert len(outcome.score.ssim_frames) == 6
    assert outcome.score.psnr_y > (25 if loss == "0" else 5)


def test_resilience_reaches_the_encoder(recording):
    plain = record(T4VScheme(resilience=0.0).stream(CLIP, 150), CLIP.frames)
    assert plain.packets != recording.packets
    assert T4VScheme(resilience=0.0).config() != T4VScheme().config()


def test_another_model_file_is_another_version(tmp_path):
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"1")
    first = T4VScheme(model=str(model)).version()
    model.write_bytes(b"2")
    assert T4VScheme(model=str(model)).version() != first
    assert T4VScheme().version() == T4VScheme().version()


@pytest.mark.skipif(not FOREMAN.exists(), reason="../shared/data/codec-test is not here")
def test_yardstick_on_a_real_clip():
    """Measured when this was written; other builds of x264 may differ a little."""
    clip = load_clip(str(FOREMAN), 60)

    def both(source, shown):
        result = score(source, shown)
        return result.ssim_db, result.psnr_y

    kbps = scaled_kbps(600, clip.width, clip.height, clip.fps)
    found = ReferenceCurve(clip.frames, clip.fps, both).quality_at(kbps * 125 * clip.seconds)
    assert found.ssim_db == pytest.approx(11.66, abs=0.3)
    assert found.psnr_y == pytest.approx(34.69, abs=0.5)
