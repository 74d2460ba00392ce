"""Recognizers from elsewhere: torchvision's networks and ONNX files."""

from __future__ import annotations

import pytest
import torch
from small_clips import moving_clip
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import load_recognizer
from torch import nn


@pytest.fixture(scope="module")
def s3d_file(tmp_path_factory):
    from torchvision.models.video import s3d

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("s3d") / "s3d.pth"
    torch.save(s3d(num_classes=5).state_dict(), path)
    return path


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("a\nb\nc\nd\ne\n")
    return path


def test_a_torchvision_network_scores_with_gradients(s3d_file, labels):
    recognizer = load_recognizer(f"torchvision:s3d={s3d_file}", labels)
    assert recognizer.labels == ("a", "b", "c", "d", "e")
    clip = torch.rand(6, 3, 48, 64, requires_grad=True)
    scores = recognizer.scores(clip, 25.0)
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-4)
    scores[0].backward()
    assert float(clip.grad.abs().sum()) > 0


def test_torchvision_never_downloads(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(RecognitionError, match="nothing is downloaded"):
        load_recognizer("torchvision:r3d_18")


def test_bad_torchvision_names_and_files(s3d_file, tmp_path, labels):
    with pytest.raises(RecognitionError, match="no video network 'resnet50'"):
        load_recognizer("torchvision:resnet50")
    with pytest.raises(RecognitionError, match="no weights of mc3_18"):
        load_recognizer(f"torchvision:mc3_18={s3d_file}", labels)
    with pytest.raises(RecognitionError, match="5 classes but 400 labels"):
        load_recognizer(f"torchvision:s3d={s3d_file}")
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"nonsense")
    with pytest.raises(RecognitionError, match="no weights of s3d"):
        load_recognizer(f"torchvision:s3d={bad}")


class _Mean(nn.Module):
    """Scores from the means of the channels."""

    def __init__(self, axes: tuple[int, ...], softmax: bool = False) -> None:
        super().__init__()
        self.axes, self.softmax = axes, softmax

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = x.mean(self.axes)
        scores = scores.reshape(1, 3)
        return torch.softmax(scores, 1) if self.softmax else scores


def export(path, module, *shapes):
    onnx = pytest.importorskip("onnx", reason="needs onnx to write a file")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime (t4vcodec[onnx])")
    inputs = tuple(torch.zeros(s) for s in shapes)
    torch.onnx.export(module, inputs, str(path), dynamo=False)
    assert onnx.load(str(path))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1, 3, 8, 32, 32), (2, 3, 4)), ((1, 8, 3, 32, 32), (1, 3, 4)), ((1, 1, 3, 8, 32, 32), (1, 3, 4, 5))],
)
@pytest.mark.parametrize("softmax", [False, True])
def test_onnx_layouts(tmp_path, shape, axes, softmax):
    path = tmp_path / "net.onnx"
    export(path, _Mean(axes, softmax), shape)
    recognizer = load_recognizer(f"onnx:{path}")
    assert recognizer.windows.frames == 8
    clip = torch.zeros(10, 3, 40, 50)
    clip[:, 1] = 1.0
    scores = recognizer.scores(clip, 15.0)
    assert int(scores.argmax()) == 1
    assert float(scores.exp().sum()) == pytest.approx(1, abs=1e-4)
    assert not recognizer.differentiable
    assert recognizer.scores(moving_clip(), 25.0).shape == (3,)


def test_onnx_files_with_other_inputs_are_refused(tmp_path, labels):
    image, two, good = (tmp_path / f"{n}.onnx" for n in ("image", "two", "good"))
    export(image, _Mean((2, 3)), (1, 3, 32, 32))
    with pytest.raises(RecognitionError, match="input of shape"):
        load_recognizer(f"onnx:{image}")

    class Sum(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return (a + b).mean((2, 3, 4))

    export(two, Sum(), (1, 3, 8, 32, 32), (1, 3, 8, 32, 32))
    with pytest.raises(RecognitionError, match="takes 2 inputs"):
        load_recognizer(f"onnx:{two}")
    export(good, _Mean((2, 3, 4)), (1, 3, 8, 32, 32))
    with pytest.raises(RecognitionError, match="3 classes but 5 labels"):
        load_recognizer(f"onnx:{good}", labels)
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(RecognitionError, match="no ONNX file"):
        load_recognizer(f"onnx:{tmp_path / 'bad.onnx'}")
    with pytest.raises(RecognitionError, match="no such ONNX file"):
        load_recognizer("onnx:none.onnx")


def test_without_onnx_runtime_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RecognitionError, match=r"t4vcodec\[onnx\]"):
        load_recognizer("onnx:any.onnx")
