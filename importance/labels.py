"""Clips with what their packets were worth to a recognizer, kept on disk: what the predictor learns, and its judge.

    weighed = weigh(labelled, recognizer, 150, folder)               # first order: one gradient a clip
    judged = weigh(labelled, recognizer, 150, folder, share=1 / 3)   # and the truth for a third of its packets

A file holds the stream beside the numbers. It is made again when the codec's code or weights change.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from t4vcodec.codec import Setup
from t4vcodec.codec.packets import PacketError
from t4vcodec.eval.cache import content_key, version_of, write_atomically
from t4vcodec.eval.scheme import scaled_kbps
from t4vcodec.importance.errors import ImportanceError
from t4vcodec.importance.influence import Influence, first_order
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.importance.trace import trace_gradients
from t4vcodec.media import open_video, to_rgb
from t4vcodec.media.frames import Frame
from t4vcodec.recognition.datasets import Labelled
from t4vcodec.recognition.recognizer import Recognizer

POINT = 150.0
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Weighed:
    """A sent clip; influences are of the log-odds of the class named on the clean clip, all else received."""

    name: str
    group: str
    video: SentVideo
    first_order: np.ndarray
    """(packets,) to first order."""
    true: np.ndarray
    """(packets,) by decoding without each; NaN for those that were not measured."""


def weigh(
    labelled: Labelled, recognizer: Recognizer, point: float, folder: Path, share: float = 0.0
) -> Weighed:
    """Encodes a clip and measures its packets, or reads what was measured from `folder`.

    point: rate at 854x480 and 25 frames per second, scaled to the clip. share: of packets that are measured by
    decoding, drawn by the clip's name. Raises T4VError.
    """
    if not recognizer.differentiable:
        raise ImportanceError(
            f"{recognizer.name} lets no gradient through: take builtin:NAME or torchvision:NAME"
        )
    path = Path(folder) / f"{_key(labelled, recognizer, point, share)}.npz"
    kept = _read(path)
    if kept is None:
        kept = _measure(labelled, recognizer, point, share)
        write_atomically(path, lambda file: np.savez_compressed(file, **_stored(kept)))
    video, first, true = kept
    return Weighed(labelled.name, labelled.group or labelled.name, video, first, true)


def frames_of(labelled: Labelled) -> tuple[list[Frame], Fraction]:
    """The frames of a labelled stretch, and their rate."""
    low, high = labelled.start or 0.0, labelled.end
    with open_video(labelled.source) as video:
        frames = [f for f in video if f.time >= low - 1e-6 and (high is None or f.time < high - 1e-6)]
        if not frames:
            raise ImportanceError(f"{labelled.name}: holds no frame: check its times")
        return frames, video.info.fps


def _measure(
    labelled: Labelled, recognizer: Recognizer, point: float, share: float
) -> tuple[SentVideo, np.ndarray, np.ndarray]:
    frames, fps = frames_of(labelled)
    width, height = frames[0].width, frames[0].height
    video = SentVideo.encode(frames, Setup(width, height, fps), scaled_kbps(point, width, height, float(fps)))
    clean = np.stack([to_rgb(frame) for frame in frames])
    target = Target.of_clean(recognizer, clean, float(fps))
    first = first_order(video, [trace_gradients(video, video.everything, target)])
    true = np.full(len(first), np.nan)
    if share > 0:
        seed = int.from_bytes(hashlib.sha256(labelled.name.encode()).digest()[:8], "big")
        drawn = np.flatnonzero(np.random.default_rng(seed).random(len(first)) < share)
        true = Influence(video, target).of_each(video.everything, drawn)
    return video, first.astype(np.float32), true.astype(np.float32)


def _key(labelled: Labelled, recognizer: Recognizer, point: float, share: float) -> str:
    if labelled.source.startswith("builtin:"):
        content = f"{labelled.source} {version_of('media/rendered')}"
    else:
        content = hashlib.sha256(Path(labelled.source).read_bytes()).hexdigest()
    digest = hashlib.sha256(repr(recognizer.labels).encode())
    for tensor in recognizer.network.state_dict().values() if hasattr(recognizer, "network") else ():
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return content_key(
        format=_FORMAT,
        codec=version_of("codec"),
        content=content,
        stretch=[labelled.start, labelled.end],
        recognizer=[recognizer.name, digest.hexdigest()],
        point=float(point),
        share=float(share),
    )


def _stored(kept: tuple[SentVideo, np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    video, first, true = kept
    packets = [bytes(p.packet) for frame in video.packets for p in frame]
    setup = video.setup
    return {
        "stream": np.frombuffer(b"".join(packets), np.uint8),
        "lengths": np.array([len(p) for p in packets]),
        "counts": np.diff(video.first_of),
        "setup": np.array([setup.width, setup.height, setup.fps.numerator, setup.fps.denominator]),
        "model": np.array(setup.model),
        "first": first,
        "true": true,
    }


def _read(path: Path) -> tuple[SentVideo, np.ndarray, np.ndarray] | None:
    """None where there is no such file, or it is damaged, or of another bitstream."""
    try:
        with np.load(path) as file:
            width, height, up, down = (int(x) for x in file["setup"])
            setup = Setup(width, height, Fraction(up, down), str(file["model"]))
            stream = file["stream"].tobytes()
            ends = np.cumsum(file["lengths"])
            packets = iter([stream[e - n : e] for e, n in zip(ends, file["lengths"])])
            by_frame = [[next(packets) for _ in range(n)] for n in file["counts"]]
            return SentVideo.parse(setup, by_frame), file["first"], file["true"]
    except (OSError, KeyError, ValueError, StopIteration, EOFError, BadZipFile, zlib.error, PacketError):
        return None
