"""A small rendered clip, coded once, and a small recognizer with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from t4vcodec.codec import Encoder, Setup
from t4vcodec.importance.sent_video import SentVideo
from t4vcodec.importance.target import Target
from t4vcodec.media import to_rgb
from t4vcodec.media.rendered import render_clip
from t4vcodec.recognition.builtin import BuiltinRecognizer
from t4vcodec.recognition.network import ActionNetwork, Shape

WIDTH, HEIGHT, FRAMES = 90, 70, 10


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def frames():
    """Ten pictures of somebody who walks; no multiple of 16 in sight."""
    return list(render_clip("walk", 3, "train", WIDTH, HEIGHT, 25, FRAMES))


@pytest.fixture(scope="session")
def setup():
    return Setup(WIDTH, HEIGHT, 25)


@pytest.fixture(scope="session")
def sent(frames, setup):
    """What the encoder sends of them: (packets of each frame, bytes)."""
    encoder = Encoder(setup, kbps=150, threads=1)
    return [[bytes(p) for p in encoder.push(frame)] for frame in frames]


@pytest.fixture(scope="session")
def video(setup, sent, frames):
    return SentVideo.parse(setup, sent, frames[0].colour)


@pytest.fixture(scope="session")
def clean(frames):
    return np.stack([to_rgb(frame) for frame in frames])


@pytest.fixture(scope="session")
def recognizer():
    torch.manual_seed(1)
    network = ActionNetwork(3, Shape((8, 8, 16), (1, 1, 1), 0.0, short_side=48))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            # Residual branches begin at nothing; here they must count.
            torch.nn.init.ones_(module.weight)
    return BuiltinRecognizer("small", ("a", "b", "c"), network)


@pytest.fixture(scope="session")
def target(recognizer, clean):
    return Target.of_clean(recognizer, clean, 25)


@pytest.fixture(scope="session")
def some(video):
    """A set with holes in frames, and the whole of frame 4 missing."""
    arrived = np.random.default_rng(5).random(len(video.frame_of)) >= 0.35
    arrived[video.first_of[:-1]] = True
    arrived[video.frame_of == 4] = False
    return arrived
