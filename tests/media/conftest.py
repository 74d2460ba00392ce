"""Example clips made on the spot."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from t4vcodec.media import Colour, Frame

TICKS = 10_000
BT601 = Colour()


@pytest.fixture
def noise() -> Callable[..., Frame]:
    """A picture of random samples inside the limited range."""

    def make(width: int, height: int, seed: int = 0, time: float = 0.0, colour: Colour = BT601) -> Frame:
        rng = np.random.default_rng(seed)
        half = ((height + 1) // 2, (width + 1) // 2)
        shapes = ((height, width), half, half)
        return Frame(*(rng.integers(16, 236, shape, dtype=np.uint8) for shape in shapes), time, colour)

    return make


@pytest.fixture
def encode() -> Callable[..., Path]:
    """Writes planes as they are with any of FFmpeg's encoders: the source of the readers' tests."""

    def write(
        path: Path,
        planes: list[list[np.ndarray]],
        pixels: str = "yuv420p",
        codec: str = "libx264",
        times: list[float] | None = None,
        prepare: Callable[[av.VideoStream], None] = lambda stream: None,
        options: dict[str, str] | None = None,
        format: str | None = None,
    ) -> Path:
        height, width = planes[0][0].shape[:2]
        with av.open(str(path), "w", format=format) as container:
            stream = container.add_stream(codec, rate=25, options=options or {})
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            stream.codec_context.time_base = Fraction(1, TICKS)
            prepare(stream)
            for index, picture in enumerate(planes):
                frame = av.VideoFrame(width, height, pixels)
                for plane, samples in zip(frame.planes, picture, strict=True):
                    lines = np.frombuffer(plane, samples.dtype).reshape(plane.height, -1)
                    lines[:, : samples[0].size] = samples.reshape(plane.height, -1)
                frame.pts = round((times[index] if times else index / 25) * TICKS)
                frame.time_base = Fraction(1, TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def x264_clip(noise, encode, tmp_path: Path) -> Path:
    """Twelve pictures of 64x48 in MP4."""
    pictures = [noise(64, 48, seed) for seed in range(12)]
    return encode(tmp_path / "clip.mp4", [[f.y, f.u, f.v] for f in pictures], options={"preset": "ultrafast"})
