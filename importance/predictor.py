"""The cheap predictor: how likely each packet of the frame to be sent is among the important ones.

    predictor = load_predictor("builtin:ut-set1")
    predictor.of_video(video)              # (packets,) 0 to 1, of a SentVideo
    watcher = predictor.watch(encoder.setup)
    watcher.next(encoder.coded, encoder.reconstruction, packets)       # (n,) after each `Encoder.push`

Important means: among the fifth of a set's packets whose loss changes the recognizer's answer most (absolute
influence, all else received); that is rare by making, hence focal loss in training (Lin et al. 2017, "Focal Loss
for Dense Object Detection"). The output is calibrated on recordings that were not learned from (Platt 1999).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from t4vcodec.codec.coded_frame import CodedFrame
from t4vcodec.codec.models.weights_file import write_tensors
from t4vcodec.codec.packets import Packet
from t4vcodec.codec.picture import Picture
from t4vcodec.codec.setup import DEFAULT_MODEL, Setup
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.features import MAPS, SCALARS, FrameFeatures, History, features_of, look
from t4vcodec.importance.inference import FrameNetwork
from t4vcodec.importance.sent_video import SentVideo
from torch import nn

FORMAT = "t4v-importance-1"
ENDING = ".safetensors"
TOP = 0.2
"""Share of packets that count as important."""


@dataclass(frozen=True)
class Shape:
    """widths: channels at positions of 16, 32 and 64 samples, and of the two layers after. dropout: after each."""

    widths: tuple[int, int, int] = (16, 8, 8)
    joined: int = 16
    hidden: int = 24
    dropout: float = 0.2


class ImportanceNetwork(nn.Module):
    """Features to two numbers a packet: the logit of being important, and log2 of the influence (about 0)."""

    def __init__(self, shape: Shape = Shape()) -> None:
        super().__init__()
        self.shape = shape
        self.scales = nn.ModuleList(nn.Conv2d(len(MAPS), width, 3, 1, 1) for width in shape.widths)
        self.join = nn.Conv2d(sum(shape.widths), shape.joined, 3, 1, 1)
        self.packet = nn.Linear(2 * shape.joined + len(SCALARS), shape.hidden)
        self.out = nn.Linear(shape.hidden, 2)
        self.dropout = nn.Dropout(shape.dropout)
        self.register_buffer("map_mean", torch.zeros(len(MAPS), 1, 1))
        self.register_buffer("map_deviation", torch.ones(len(MAPS), 1, 1))
        self.register_buffer("scalar_mean", torch.zeros(len(SCALARS)))
        self.register_buffer("scalar_deviation", torch.ones(len(SCALARS)))

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def forward(self, maps: torch.Tensor, scalars: torch.Tensor, packet: torch.Tensor) -> torch.Tensor:
        """(T, maps, R, C) of frames, (N, scalars) of all their packets, (T, R * C) int64 the packet of each
        position, numbered through all frames, to (N, 2)."""
        x = (maps - self.map_mean) / self.map_deviation
        size = x.shape[2:]
        parts = []
        for octave, scale in enumerate(self.scales):
            x = F.avg_pool2d(x, 2, ceil_mode=True) if octave else x
            part = F.relu(scale(x))
            for axis in (2, 3) if octave else ():
                part = part.repeat_interleave(2**octave, axis)
            parts.append(part[:, :, : size[0], : size[1]])
        x = self.dropout(F.relu(self.join(self.dropout(torch.cat(parts, 1)))))
        flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        index = packet.reshape(-1)
        count = torch.bincount(index, minlength=len(scalars)).clamp_min(1)[:, None]
        zero = flat.new_zeros((len(scalars), flat.shape[1]))
        mean = zero.index_add(0, index, flat) / count
        # Nothing is below 0 after ReLU.
        most = zero.scatter_reduce(0, index[:, None].expand_as(flat), flat, "amax")
        numbers = (scalars - self.scalar_mean) / self.scalar_deviation
        return self.out(self.dropout(F.relu(self.packet(torch.cat([mean, most, numbers], 1)))))


class Predictor:
    """A trained network with its calibration, frozen.

    calibration: weights of the two outputs and a constant, whose sum is the logit of the probability. model: of the
    codec, whose symbols it knows.
    """

    def __init__(
        self,
        name: str,
        network: ImportanceNetwork,
        calibration: tuple[float, float, float] = (1.0, 0.0, 0.0),
        model: str = DEFAULT_MODEL,
    ) -> None:
        self.name, self.model = name, model
        self.network = network.requires_grad_(False).eval()
        self.calibration = calibration
        self._of_frame = FrameNetwork({n: t.float().numpy() for n, t in network.state_dict().items()})

    def of_frame(self, features: FrameFeatures) -> np.ndarray:
        """(n,) probabilities that the packets of a frame are important."""
        return self.calibrated(self._of_frame(features))

    def calibrated(self, out: np.ndarray) -> np.ndarray:
        """(N, 2) outputs of the network to (N,) probabilities."""
        a, b, c = self.calibration
        return 1 / (1 + np.exp(-(a * out[:, 0] + b * out[:, 1] + c)))

    def of_video(self, video: SentVideo) -> np.ndarray:
        """(packets,) probabilities, each frame's by what its sender knew then. Raises ImportanceError for what
        is no video of our codec with all of its packets."""
        if not isinstance(video, SentVideo):
            raise ImportanceError(f"{self.name} looks at our codec's symbols: {video!r} has none")
        self._check(video.setup)
        return np.concatenate([self.of_frame(features) for features in features_of(video)])

    def watch(self, setup: Setup) -> Watcher:
        """For the frames of one session as they are encoded. Raises ImportanceError for one of another model."""
        self._check(setup)
        return Watcher(self)

    def _check(self, setup: Setup) -> None:
        if setup.model != self.model:
            raise ImportanceError(
                f"{self.name} is a predictor for model {self.model}, not {setup.model}: train one for that"
            )

    def __repr__(self) -> str:
        return f"Predictor({self.name}, {self.network.parameter_count:,} parameters)"


class Watcher:
    """Predicts frame after frame of one session."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor, self._history = predictor, History()

    def next(self, coded: CodedFrame, reconstruction: Picture, packets: Sequence[Packet]) -> np.ndarray:
        """(n,) probabilities for the packets that `Encoder.push` just gave; `coded` and `reconstruction` are the
        encoder's. Raises ImportanceError where they are not of one frame."""
        features, self._history = look(
            self._history,
            coded.header,
            coded.symbols,
            reconstruction,
            coded.packets.packet,
            [len(p) for p in packets],
        )
        return self._predictor.of_frame(features)


def predictor_names() -> list[str]:
    """Names of the predictors that come with the package."""
    return sorted(p.name.removesuffix(ENDING) for p in _packaged().glob(f"*{ENDING}"))


def load_predictor(name: str) -> Predictor:
    """builtin:NAME or a .safetensors file. Raises ImportanceError."""
    if name.startswith("builtin:"):
        path = _packaged() / f"{name.removeprefix('builtin:')}{ENDING}"
    else:
        path = Path(name)
    if not path.is_file():
        known = ", ".join(f"builtin:{n}" for n in predictor_names())
        raise ImportanceError(f"no predictor {name!r}: known are {known}, or give a .safetensors file")
    facts = path.stat()
    return _load(path, facts.st_mtime_ns, facts.st_size)


def save_predictor(predictor: Predictor, path: Path, facts: dict[str, str] | None = None) -> None:
    """Kernels in half precision, the rest in single. Raises WeightsFileError."""
    tensors = {
        name: (tensor.half() if name.endswith("weight") else tensor.float()).numpy()
        for name, tensor in predictor.network.state_dict().items()
    }
    metadata = {
        "format": FORMAT,
        "maps": json.dumps(MAPS),
        "scalars": json.dumps(SCALARS),
        "shape": json.dumps(asdict(predictor.network.shape)),
        "calibration": json.dumps(predictor.calibration),
        "model": predictor.model,
    }
    write_tensors(tensors, path, metadata | (facts or {}))


def _packaged() -> Path:
    return Path(str(files("t4vcodec.pretrained") / "importance"))


@lru_cache(maxsize=8)
def _load(path: Path, changed: int, size: int) -> Predictor:
    """changed, size: of the file, so that one written over is read again."""
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            if facts.get("format") != FORMAT:
                raise ImportanceError(
                    f"{path}: holds no predictor of importance: give one that train-importance wrote"
                )
            if json.loads(facts["maps"]) != list(MAPS) or json.loads(facts["scalars"]) != list(SCALARS):
                raise ImportanceError(f"{path}: is a predictor for other features: train it again")
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        values = json.loads(facts["shape"])
        shape = Shape(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        a, b, c = (float(x) for x in json.loads(facts["calibration"]))
        network = ImportanceNetwork(shape)
        network.load_state_dict(tensors)
        model = facts["model"]
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OSError) as error:
        reason = (str(error).splitlines() or ["it is damaged"])[0]
        raise ImportanceError(f"{path}: cannot be read as a predictor: {reason}") from error
    if not all(bool(torch.isfinite(t).all()) for t in (*tensors.values(), torch.tensor([a, b, c]))):
        raise ImportanceError(f"{path}: holds weights that are no numbers: train it again")
    return Predictor(path.stem, network, (a, b, c), model)
