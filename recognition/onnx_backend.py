"""Video networks in ONNX files, through ONNX Runtime (an extra: `pip install t4vcodec[onnx]`).

Exports differ in how they lay out a clip, and the file tells: MMAction2 and GluonCV give (batch, [crops,] 3,
frames, height, width) or (batch, frames, 3, height, width). Sizes that the file leaves open are taken as the usual
ones. The file's metadata may say more: `labels` (one a line), `mean` and `std` (three numbers each, of samples in
0..1), `fps`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from t4vcodec.recognition.errors import RecognitionError
from t4vcodec.recognition.recognizer import check_class_count, windows_of
from t4vcodec.recognition.windows import Clip, Windows, as_clip

_FPS, _FRAMES, _SIDE = 15.0, 16, 224
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, as MMAction2 and GluonCV use."""


class OnnxRecognizer:
    """A network in an ONNX file; see `Recognizer`. Gradients do not pass."""

    differentiable = False

    def __init__(self, path: Path, session: Any, labels: tuple[str, ...] | None) -> None:
        """session: onnxruntime.InferenceSession. Raises RecognitionError where it does not take a clip."""
        self.name = path.stem
        self._session = session
        facts = session.get_modelmeta().custom_metadata_map
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs)
            raise RecognitionError(
                f"{path}: takes {len(inputs)} inputs ({names}), a recognizer takes one clip"
            )
        self._input = inputs[0].name
        shape = [d if isinstance(d, int) else None for d in inputs[0].shape]
        self._channels_at, self._frames_at = _layout(shape, path)
        if inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            raise RecognitionError(f"{path}: takes {inputs[0].type}, a recognizer takes floats: export it so")
        self._kind = np.float16 if "16" in inputs[0].type else np.float32
        self._crops = len(shape) == 6
        self._size = (shape[-2] or _SIDE, shape[-1] or _SIDE)
        frames = shape[self._frames_at] or _FRAMES
        self.windows = Windows(float(facts.get("fps", _FPS)), frames, max(1, frames // 2))
        self._mean, self._deviation = (
            torch.tensor(_numbers(facts.get(name), usual, path))[:, None, None]
            for name, usual in (("mean", _MEAN), ("std", _DEVIATION))
        )
        given = labels
        if given is None and facts.get("labels"):
            given = tuple(facts["labels"].splitlines())
        count = self._count(path)
        check_class_count(str(path), count, given)
        self.labels = given if given is not None else tuple(str(i) for i in range(count))

    def scores(self, frames: Clip, fps: float) -> torch.Tensor:
        """See `Recognizer.scores`: the mean over windows, softmax after it unless the file has one."""
        clip = as_clip(frames).detach()
        clip = F.interpolate(clip, self._size, mode="bilinear", antialias=True, align_corners=False)
        clip = (clip - self._mean) / self._deviation
        windows = windows_of(clip, self.windows.picks(len(clip), fps))
        mean = torch.from_numpy(np.mean([self._run(w) for w in windows], axis=0))
        if bool((mean >= 0).all()) and abs(float(mean.sum()) - 1) < 1e-3:
            return torch.log(mean.clamp_min(1e-12))
        return F.log_softmax(mean, dim=0)

    def _run(self, window: torch.Tensor) -> np.ndarray:
        """(classes,) of one (frames, 3, H, W)."""
        if self._channels_at < self._frames_at:
            window = window.transpose(0, 1)
        array = window[None].numpy().astype(self._kind)
        if self._crops:
            array = array[None]
        (scores, *_) = self._session.run(None, {self._input: array})
        return np.asarray(scores, np.float32).reshape(-1)

    def _count(self, path: Path) -> int:
        try:
            out = self._run(torch.zeros(self.windows.frames, 3, *self._size))
        except Exception as error:  # ONNX Runtime has no common class of errors
            raise RecognitionError(
                f"{path}: does not run on a clip: {str(error).splitlines()[0][:200]}"
            ) from error
        return len(out)


def load_onnx(file: str, labels: tuple[str, ...] | None = None) -> OnnxRecognizer:
    """Raises RecognitionError: no ONNX Runtime, no such file, not ONNX, other inputs, another number of classes."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RecognitionError("onnx: recognizers need ONNX Runtime: pip install t4vcodec[onnx]") from error
    path = Path(file)
    if not path.is_file():
        raise RecognitionError(f"{file}: there is no such ONNX file: check the path")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common class of errors
        raise RecognitionError(
            f"{path}: no ONNX file that runs: {str(error).splitlines()[0][:200]}"
        ) from error
    return OnnxRecognizer(path, session, labels)


def _layout(shape: list[int | None], path: Path) -> tuple[int, int]:
    """Where channels and frames are in an input's shape."""
    if len(shape) in (5, 6):
        first, second = len(shape) - 4, len(shape) - 3
        if shape[first] == 3:
            return first, second
        if shape[second] == 3:
            return second, first
    raise RecognitionError(
        f"{path}: takes an input of shape {shape}: a recognizer takes (1, 3, frames, height, width) or "
        "(1, frames, 3, height, width), the 3 written in the file"
    )


def _numbers(text: str | None, usual: tuple[float, ...], path: Path) -> tuple[float, ...]:
    if text is None:
        return usual
    try:
        values = tuple(float(v) for v in text.replace(",", " ").split())
    except ValueError:
        values = ()
    if len(values) != 3:
        raise RecognitionError(f"{path}: its metadata has {text!r} where three numbers belong")
    return values
