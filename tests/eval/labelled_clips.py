"""A small labelled set, labels and recognizers with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from t4vcodec.media.writers import open_writer
from t4vcodec.recognition.builtin import save_recognizer
from t4vcodec.recognition.network import ActionNetwork, Shape
from toy_scheme import moving_clip

CLASSES = ("left", "right")


def write_recognizer(path: Path, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Path:
    """A small network that has learned nothing."""
    torch.manual_seed(seed)
    network = ActionNetwork(len(classes), Shape((8, 8, 8), (1, 1, 1), 0.0))
    with torch.no_grad():  # its answers must differ from clip to clip
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    save_recognizer(network, classes, path)
    return path


def write_labels(path: Path, labels: dict[str, str]) -> Path:
    path.write_text("clip,label\n" + "".join(f"{clip},{label}\n" for clip, label in labels.items()))
    return path


def write_set(folder: Path, clips: int = 8, frames: int = 6, fps: int = 5) -> Path:
    """Clips of two classes, half of them in one place and half in another, two a group."""
    lines = ["clip,label,group,place"]
    for number in range(clips):
        clip = moving_clip(f"clip{number}", frames=frames, seed=number, fps=fps)
        first = clip.frames[0]
        path = folder / f"clip{number}.mp4"
        with open_writer(path, first.width, first.height, clip.fps, first.colour) as writer:
            for frame in clip.frames:
                writer.write(frame)
        lines.append(f"{path.name},{CLASSES[number % 2]},g{number // 2},p{number // (clips // 2)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder
