"""A short clip with texture, noise and motion."""

import numpy as np
import pytest
from t4vcodec.media.frames import Frame


@pytest.fixture(scope="session")
def frames():
    return moving_frames(24, 176, 144)


@pytest.fixture(scope="session")
def odd_frames():
    return moving_frames(4, 101, 67)


def moving_frames(count, width, height):
    random = np.random.default_rng(0)
    coarse = random.normal(0, 50, (height // 8 + 9, width // 8 + 9)).repeat(8, 0).repeat(8, 1)
    fine = random.normal(0, 12, coarse.shape)
    frames = []
    for i in range(count):
        picture = (coarse + fine)[i : i + height, 2 * i % 60 : 2 * i % 60 + width]
        y = np.clip(128 + picture, 16, 235).astype(np.uint8)
        u = np.clip(128 + picture[::2, ::2] / 4, 16, 240).astype(np.uint8)
        frames.append(Frame(y, u, 255 - u, i / 25))
    return frames
